import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { PythonNotFoundError, PythonUnusableError } from '../../lib/errors'
import { PythonPool } from '../../lib/index'
import { locatePython, noLibraryError, type PythonInfo } from '../../lib/pool/locate'
import { failure } from '../fixtures/environment'
import { basePython } from '../fixtures/python'
import { findPythons } from '../fixtures/pythons'
import { temporaryFolder } from '../fixtures/temporary'

describe('locatePython', () => {
  let python: PythonInfo
  before(async () => {
    python = await basePython()
  })

  it('says of the chosen Python what that Python says', async () => {
    const info = await locatePython(python.executable)
    const code = 'import sys; print("%d.%d.%d" % sys.version_info[:3], sys.prefix, sys.base_prefix, sep="\\n")'
    const said = spawnSync(python.executable, ['-c', code], { encoding: 'utf8' }).stdout.trim().split('\n')
    assert.deepEqual([info.version.join('.'), info.prefix, info.basePrefix], said)
    assert.equal(info.implementation, 'CPython')
    assert.match(info.library ?? '', new RegExp(`libpython3\\.${info.version[1]}t?d?\\.`))
    assert.equal(info.venv, info.prefix !== info.basePrefix)
  })

  it('finds every Python of this machine usable, or says why not', async () => {
    const { usable, refused } = await findPythons()
    assert.ok(usable.length > 0)
    for (const { error } of refused) {
      assert.ok(error instanceof PythonUnusableError, `${error}`)
    }
  }).timeout(120_000)

  it('takes a virtual environment by its folder, its executable, VIRTUAL_ENV, CONDA_PREFIX and ./.venv', async () => {
    await using folder = await temporaryFolder()
    const venv = join(folder.path, '.venv')
    makeVenv(python, venv)
    const real = await realpath(folder.path)
    const bare = { PATH: process.env.PATH }
    const found = await Promise.all([
      locatePython(venv, bare, '/'),
      locatePython(join(venv, 'bin'), bare, '/'),
      locatePython(join(venv, 'bin', 'python'), bare, '/'),
      locatePython('.venv', bare, folder.path),
      locatePython('.venv/bin/python3', bare, folder.path),
      locatePython(undefined, { ...bare, VIRTUAL_ENV: venv }, '/'),
      locatePython(undefined, { ...bare, CONDA_PREFIX: venv }, '/'),
      locatePython(undefined, bare, folder.path),
    ])
    for (const [index, info] of found.entries()) {
      assert.equal(await realpath(info.prefix), join(real, '.venv'), `way ${index}`)
      assert.equal(info.venv, true)
      assert.equal(info.basePrefix, python.basePrefix)
      assert.equal(info.library, python.library)
      assert.equal(await realpath(dirname(dirname(info.executable))), join(real, '.venv'))
    }
  })

  it('prefers the option to VIRTUAL_ENV, VIRTUAL_ENV to .venv, and .venv to PATH', async () => {
    await using folder = await temporaryFolder()
    const [one, two] = [join(folder.path, 'one'), join(folder.path, '.venv')]
    makeVenv(python, one)
    makeVenv(python, two)
    const env = { PATH: process.env.PATH, VIRTUAL_ENV: one }
    assert.equal((await locatePython(python.executable, env, folder.path)).prefix, python.prefix)
    assert.equal((await locatePython(undefined, env, folder.path)).prefix, one)
    assert.equal((await locatePython(undefined, { PATH: env.PATH }, folder.path)).prefix, two)
  })

  it('finds a name on PATH', async () => {
    await using folder = await temporaryFolder()
    await symlink(python.executable, join(folder.path, 'mypython'))
    const info = await locatePython('mypython', { PATH: folder.path }, '/')
    assert.deepEqual(info.version, python.version)
    await symlink(python.executable, join(folder.path, 'python'))
    assert.deepEqual((await locatePython(undefined, { PATH: folder.path }, folder.path)).version, python.version)
  })

  it('is not led astray by PYTHONSTARTUP or modules beside it', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'json.py'), 'raise SystemExit("wrong json")')
    const env = { ...process.env, PYTHONSTARTUP: join(folder.path, 'json.py') }
    const info = await locatePython(python.executable, env, folder.path)
    assert.equal(info.prefix, python.prefix)
  })

  it('finds out about a PYTHONHOME that would end the process when Python is embedded', async () => {
    await using folder = await temporaryFolder()
    const error = await failure(locatePython(python.executable, { ...process.env, PYTHONHOME: folder.path }))
    assert.equal(error.code, 'ERR_PYTHON_BROKEN')
    assert.match(error.message, /encodings/)
  })

  it('refuses an option that points to nothing, and lists where it looked', async () => {
    for (const option of ['no-such-python', './no/such/python', '']) {
      const error = await failure(locatePython(option, process.env, '/'))
      assert.ok(error instanceof PythonNotFoundError)
      assert.equal(error.code, 'ERR_PYTHON_NOT_FOUND')
      if (option) assert.ok(error.tried.includes(join('/', option)), error.message)
    }
  })

  it('refuses an empty folder, as option and in a variable, instead of taking another Python', async () => {
    await using folder = await temporaryFolder()
    const asOption = await failure(locatePython(folder.path))
    const asVariable = await failure(locatePython(undefined, { ...process.env, VIRTUAL_ENV: folder.path }))
    const gone = await failure(locatePython(undefined, { ...process.env, VIRTUAL_ENV: join(folder.path, 'gone') }))
    for (const error of [asOption, asVariable, gone]) {
      assert.ok(error instanceof PythonNotFoundError)
      assert.ok(error.message.includes(folder.path))
    }
    assert.match(asVariable.message, /VIRTUAL_ENV=/)
    assert.match(gone.message, /VIRTUAL_ENV=.*points to no folder/)
  })

  it('says that there is none where there is none', async () => {
    await using folder = await temporaryFolder()
    const error = await failure(locatePython(undefined, { PATH: folder.path }, folder.path))
    assert.ok(error instanceof PythonNotFoundError)
    assert.match(error.message, /Install Python 3\.9/)
    assert.match(error.message, /\.venv/)
    assert.match(error.message, /on PATH/)
  })

  it('refuses a file that is not executable', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'python')
    await writeFile(path, '')
    const error = await failure(locatePython(path))
    assert.ok(error instanceof PythonUnusableError)
    assert.equal(error.code, 'ERR_PYTHON_BROKEN')
    assert.match(error.message, /not executable/)
  })

  const answer = {
    version: [3, 12, 1],
    executable: '/opt/x/bin/python',
    prefix: '/opt/x',
    basePrefix: '/opt/x',
    library: '/opt/x/lib/libpython3.12.so',
    searched: ['/opt/x/lib/libpython3.12.so'],
    freeThreaded: false,
    gil: true,
    debug: false,
    implementation: 'CPython',
    venv: false,
    machine: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    bits: 64,
    multiarch: null,
  }
  const saying = (changes: object) => `echo 'rxjs-python-probe:${JSON.stringify({ ...answer, ...changes })}'`

  const broken: [string, string, string, RegExp][] = [
    ['exits with an error', 'echo the reason >&2; exit 3', 'ERR_PYTHON_BROKEN', /exited with 3.*\n {2}the reason/],
    ['is killed', 'kill -9 $$', 'ERR_PYTHON_BROKEN', /SIGKILL/],
    ['prints something else', 'echo hello', 'ERR_PYTHON_BROKEN', /did not answer as a Python does.*\n {2}hello/],
    ['prints nothing', 'exit 0', 'ERR_PYTHON_BROKEN', /printed nothing/],
    ['answers with broken JSON', "echo 'rxjs-python-probe:{'", 'ERR_PYTHON_BROKEN', /did not answer/],
    ['is PyPy', saying({ implementation: 'PyPy' }), 'ERR_PYTHON_BROKEN', /PyPy 3\.12\.1; only CPython/],
    ['is Python 3.8', saying({ version: [3, 8, 18] }), 'ERR_PYTHON_TOO_OLD', /3\.8\.18; the oldest that works is 3\.9/],
    ['is for another machine', saying({ machine: 'riscv64', bits: 32 }), 'ERR_PYTHON_BROKEN', /built for riscv64/],
  ]
  for (const [what, script, code, message] of broken) {
    it(`refuses an executable that ${what}`, async () => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'python')
      await writeFile(path, `#!/bin/sh\n${script}\n`)
      await chmod(path, 0o755)
      const error = await failure(locatePython(path))
      assert.ok(error instanceof PythonUnusableError, `${error}`)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.equal(error.executable, path)
    })
  }

  const remedies: [string, object, RegExp][] = [
    ['built by hand', {}, /--enable-shared.*\n {2}- \/opt\/x\/lib/],
    ["the system's", { basePrefix: '/usr' }, /apt install libpython3\.12/],
    [
      "pyenv's",
      { basePrefix: '/home/me/.pyenv/versions/3.12.1' },
      /PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force 3\.12\.1/,
    ],
    ["conda's", { basePrefix: '/opt/miniconda3' }, /conda install python=3\.12/],
  ]
  for (const [what, changes, message] of remedies) {
    it(`says what to do about an executable without a library (${what})`, async () => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'python')
      await writeFile(path, `#!/bin/sh\n${saying({ library: null, executable: path, ...changes })}\n`)
      await chmod(path, 0o755)
      const info = await locatePython(path)
      assert.equal(info.library, null)
      const opened = await failure(PythonPool.open({ python: path, isolation: 'shared' }))
      for (const error of [noLibraryError(info), opened]) {
        assert.ok(error instanceof PythonUnusableError, `${error}`)
        assert.equal(error.code, 'ERR_PYTHON_NO_SHARED_LIBRARY')
        assert.match(error.message, message)
        assert.match(error.message, /Or use isolation 'process'/)
        assert.equal(error.executable, path)
      }
    })
  }

  it('reads the answer behind what a start-up hook prints', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'python')
    await writeFile(path, `#!/bin/sh\necho welcome\nexec '${python.executable}' "$@"\n`)
    await chmod(path, 0o755)
    assert.deepEqual((await locatePython(path)).version, python.version)
  })

  it('asks an executable once, and again when it has changed', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'python')
    const write = async (text: string) => {
      await writeFile(path, `#!/bin/sh\necho run >> '${join(folder.path, 'runs')}'\n${text}\n`)
      await chmod(path, 0o755)
    }
    const runs = () => spawnSync('wc', ['-l', join(folder.path, 'runs')], { encoding: 'utf8' }).stdout.split(' ')[0]
    await write('exit 1')
    await failure(locatePython(path))
    await failure(locatePython(path))
    assert.equal(runs(), '2', 'a failure is not kept')
    await write(saying({}))
    const [one, two] = await Promise.all([locatePython(path), locatePython(path)])
    assert.deepEqual(one, two)
    await locatePython(path)
    assert.equal(runs(), '3')
    await write(saying({ version: [3, 13, 0] }))
    assert.deepEqual((await locatePython(path)).version, [3, 13, 0])
    assert.equal(runs(), '4')
  })

  it('a Worker knows what the thread that has started it knew', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'python')
    await writeFile(path, `#!/bin/sh\necho run >> '${join(folder.path, 'runs')}'\n${saying({ library: '/a.so' })}\n`)
    await chmod(path, 0o755)
    const here = await locatePython(path)
    const program = `
      require('tsx/cjs')
      const { locatePython } = require(${JSON.stringify(require.resolve('../../lib/pool/locate'))})
      locatePython(${JSON.stringify(path)}).then((info) => require('node:worker_threads').parentPort.postMessage(info))`
    const [there] = await once(new Worker(program, { eval: true }), 'message')
    assert.deepEqual(there, here)
    assert.equal(await readFile(join(folder.path, 'runs'), 'utf8'), 'run\n')
  })

  it('refuses a folder in place of a file gracefully', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'bin', 'python'), { recursive: true })
    assert.ok((await failure(locatePython(folder.path))) instanceof PythonNotFoundError)
  })
})

function makeVenv(python: PythonInfo, folder: string): void {
  const made = spawnSync(python.executable, ['-m', 'venv', '--without-pip', folder], { encoding: 'utf8' })
  assert.equal(made.status, 0, made.stderr)
}
