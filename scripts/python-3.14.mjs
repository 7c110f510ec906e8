// Puts a CPython 3.14 with a shared library into .cache/pythons/3.14, where the tests look for Pythons: the one that the
// Go module go-embed-python carries, fetched by `go mod download`. Prints the executable. Does nothing where it is there
// already; exits with status 2 where it cannot be had (another platform, no Go).
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const MODULE = 'github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1'
const PLATFORMS = { 'linux x64': 'linux-amd64', 'linux arm64': 'linux-arm64' }

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const pythons = process.env.RXJS_PYTHON_TEST_PYTHONS ?? join(root, '.cache', 'pythons')
const target = join(pythons, '3.14')
const executable = join(target, 'bin', 'python3.14')

if (!existsSync(executable)) make()
console.log(executable)

function make() {
  const platform = PLATFORMS[`${process.platform} ${process.arch}`]
  if (platform === undefined) unavailable(`there is none for ${process.platform} ${process.arch}`)
  const source = join(download(), 'python', 'internal', 'data', platform)
  if (!existsSync(join(source, 'files.json'))) unavailable(`${MODULE} has no Python for ${platform}`)
  mkdirSync(pythons, { recursive: true })
  // Made beside its place and then moved, so that a copy that was broken off never counts.
  const made = mkdtempSync(join(pythons, 'making-'))
  unpack(source, made)
  addPip(made)
  rmSync(target, { recursive: true, force: true })
  renameSync(made, target)
  chmodSync(target, 0o755)
}

/** The folder of the module. */
function download() {
  // Outside of any Go module, whose go.mod it would have to be in otherwise.
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-go-'))
  const env = { ...process.env, GOFLAGS: '-mod=mod', GOWORK: 'off' }
  const result = spawnSync('go', ['mod', 'download', '-json', MODULE], { cwd: folder, env, encoding: 'utf8' })
  rmSync(folder, { recursive: true, force: true })
  if (result.error) unavailable(`it comes as a Go module, and Go is not there (${result.error.code})`)
  if (result.status !== 0) unavailable(`go mod download failed:\n${result.stdout}${result.stderr}`)
  return JSON.parse(result.stdout).Dir
}

/** The module keeps its files without links and permissions, large ones compressed; a list says what they are. */
function unpack(source, folder) {
  const { files } = JSON.parse(readFileSync(join(source, 'files.json'), 'utf8'))
  const isFolder = ({ perm }) => perm >= 0x8000_0000 // Go's mode bit of a directory
  for (const entry of files.filter(isFolder)) mkdirSync(join(folder, entry.name), { recursive: true })
  for (const entry of files.filter((each) => !isFolder(each))) {
    const to = join(folder, entry.name)
    if (entry.symlink !== undefined) {
      symlinkSync(entry.symlink, to)
      continue
    }
    const from = join(source, entry.name)
    writeFileSync(to, entry.compressed ? gunzipSync(readFileSync(`${from}.gz`)) : readFileSync(from))
    chmodSync(to, entry.perm & 0o777)
  }
}

/** It comes without pip and ensurepip, and something has to install the tests' packages: another Python's pip will do. */
function addPip(folder) {
  const where = join(folder, 'lib', 'python3.14', 'site-packages')
  if (existsSync(join(where, 'pip'))) return
  const install = ['-m', 'pip', 'install', '--quiet', '--target', where, '--python-version', '3.14', '--no-deps', 'pip']
  const options = ['--only-binary', ':all:', '--disable-pip-version-check', '--root-user-action', 'ignore']
  const result = spawnSync('python3', [...install, ...options], { encoding: 'utf8' })
  if (result.status === 0) return
  rmSync(folder, { recursive: true, force: true })
  unavailable(`pip could not be put into it:\n${result.stdout}${result.stderr}`)
}

function unavailable(why) {
  console.error(`Python 3.14 cannot be fetched: ${why}`)
  process.exit(2)
}
