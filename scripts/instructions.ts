// npm run instructions: what a batch of each codec executes in an interpreter, counted by callgrind, against the
// baseline in bench/instructions.json. Times depend on what else the machine does; these counts hardly do.
//   --update    writes the baseline of this compiler and this Python anew
//   --if-known  is content where there is no baseline for this compiler and this Python
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Counts, compareCounts } from '../bench/harness/counts'
import { packageRoot } from '../lib/package-root'
import { testPythonInfo } from '../test/fixtures/python'

type Baselines = Record<string, Counts>

const CODECS = ['string', 'json', 'buffer', 'array']
/** As in test/native/instructions_test.cc. */
const BATCHES = 32
const FOLDER = 'build-instructions'
const FILE = join(packageRoot, 'bench', 'instructions.json')

async function main(): Promise<number> {
  for (const [tool, what] of [
    ['valgrind', 'apt install valgrind'],
    ['cmake', 'apt install cmake'],
  ] as const) {
    if (spawnSync(tool, ['--version']).status !== 0)
      throw new Error(`${tool} is needed to count instructions (${what})`)
  }
  build()
  const python = await testPythonInfo()
  const { library, executable } = python
  if (library === null) throw new Error(`${executable} has no shared library`)
  const key = `${compiler()}, Python ${python.version.slice(0, 2).join('.')}, ${process.arch}`
  const counts = Object.fromEntries(CODECS.map((codec) => [codec, count(codec, library, executable)]))

  const baselines = existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Baselines) : {}
  console.log(`instructions of a batch, ${key}`)
  if (process.argv.includes('--update')) {
    writeFileSync(FILE, `${JSON.stringify({ ...baselines, [key]: counts }, null, 2)}\n`)
    report(counts, counts)
    console.log(`written to ${FILE}`)
    return 0
  }
  const baseline = baselines[key]
  if (baseline === undefined) {
    report(counts, {})
    console.log('There is no baseline of this compiler and this Python: npm run instructions -- --update makes one')
    return process.argv.includes('--if-known') ? 0 : 1
  }
  return report(counts, baseline) ? 0 : 1
}

function build(): void {
  const options = ['-DRXP_TESTS=ON', '-DRXP_ADDON=OFF', '-DCMAKE_BUILD_TYPE=Release']
  run('cmake', ['-S', '.', '-B', FOLDER, ...options])
  run('cmake', ['--build', FOLDER, '--parallel', process.env.JOBS ?? '2', '--target', 'instructions_test'])
}

function run(command: string, args: string[], env = process.env): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: packageRoot, env, encoding: 'utf8' })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? `${stdout}${stderr}`.slice(-2000)}`)
}

/** The compiler that CMake chose, by its name and its major version. */
function compiler(): string {
  const cache = readFileSync(join(packageRoot, FOLDER, 'CMakeCache.txt'), 'utf8')
  const path = /^CMAKE_CXX_COMPILER:\w+=(.*)$/m.exec(cache)?.[1] ?? 'c++'
  const line = run(path, ['--version']).split('\n')[0]!
  const name = /clang/i.test(line) ? 'clang' : 'g++'
  return `${name} ${/(\d+)\.\d+\.\d+/.exec(line)?.[1] ?? '?'}`
}

/** Instructions of one batch: decoding, the call of an empty handler, encoding. */
function count(codec: string, library: string, executable: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-instructions-'))
  const out = join(folder, 'callgrind.out')
  try {
    const tool = ['--tool=callgrind', `--callgrind-out-file=${out}`, '--zero-before=rxp_counting_starts']
    const program = join(packageRoot, FOLDER, 'instructions_test')
    // Strings hash the same in every run.
    const env = { ...process.env, PYTHONHASHSEED: '0' }
    run(
      'valgrind',
      [...tool, '--toggle-collect=rxp::Interpreter::run(rxp::Call&)', program, library, executable, 'python', codec],
      env,
    )
    const total = Number(/^totals: (\d+)/m.exec(readFileSync(out, 'utf8'))?.[1])
    if (!(total > 0)) throw new Error(`callgrind counted nothing for codec ${codec}`)
    return Math.round(total / BATCHES)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Prints a line for each codec; false where one is worse than the baseline allows. */
function report(counts: Counts, baseline: Counts): boolean {
  const compared = compareCounts(counts, baseline)
  for (const { line } of compared) console.log(line)
  return compared.every(({ worse }) => !worse)
}

main().then(
  (status) => {
    process.exitCode = status
  },
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  },
)
