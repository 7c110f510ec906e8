import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PythonAbortError, RequirementsError } from '../../lib/errors'
import type { PythonInfo } from '../../lib/pool/locate'
import { cacheFolder, ensureEnvironment } from '../../lib/pool/requirements'
import { envFolders, environmentSetting, failure, inProcess, tinyVersion } from '../fixtures/environment'
import { basePython } from '../fixtures/python'
import { writeWheel } from '../fixtures/wheel'

describe('ensureEnvironment, where something changes or goes wrong', function () {
  this.timeout(120_000)
  let python: PythonInfo
  before(async () => {
    python = await basePython()
  })

  it('makes another one when the file, an included file, a constraint, or a local package changes', async () => {
    await using set = await environmentSetting(python, '-r more.txt\n--constraint=limits.txt\n')
    const more = join(set.folder.path, 'more.txt')
    const limits = join(set.folder.path, 'limits.txt')
    await writeFile(more, './tiny-1.0-py3-none-any.whl\n')
    await writeFile(limits, 'tiny<9\n')
    const seen = new Set<string>()
    const expectNew = async (what: string) => {
      const { prefix } = await ensureEnvironment(set.options)
      assert.ok(!seen.has(prefix), what)
      seen.add(prefix)
    }
    await expectNew('the first')
    await writeFile(limits, 'tiny<8\n')
    await expectNew('another constraint')
    await utimes(join(set.folder.path, 'tiny-1.0-py3-none-any.whl'), 1, 1)
    await expectNew('another wheel of the same name')
    writeWheel(python.executable, set.folder.path, 'tiny', '2.0')
    await writeFile(more, '# a comment\n./tiny-2.0-py3-none-any.whl  # another\n')
    await expectNew('another package')
    await writeFile(more, './tiny-2.0-py3-none-any.whl\n\n')
    const again = await ensureEnvironment(set.options)
    assert.ok(seen.has(again.prefix), 'comments and empty lines make no difference')
    assert.equal(tinyVersion(again), '2.0')
  })

  it('builds once for many that ask at once in one process', async () => {
    await using set = await environmentSetting(python)
    const infos = await Promise.all([1, 2, 3].map(() => ensureEnvironment(set.options)))
    assert.equal(new Set(infos.map((info) => info.prefix)).size, 1)
    assert.equal(set.messages.filter((phase) => phase === 'create').length, 1)
  })

  it('builds anew after a process was killed in the middle, without waiting', async () => {
    await using set = await environmentSetting(python)
    const first = inProcess(set.options)
    const home = () => envFolders(set.folder.path)
    while ((await home()).length === 0) await sleep(5)
    first.child.kill('SIGKILL')
    await first.finished
    const info = await ensureEnvironment(set.options)
    assert.equal(tinyVersion(info), '1.0')
  })

  it('builds anew where the environment was damaged', async () => {
    await using set = await environmentSetting(python)
    const one = await ensureEnvironment(set.options)
    await rm(join(one.prefix, 'bin'), { recursive: true })
    const two = await ensureEnvironment(set.options)
    assert.notEqual(two.prefix, one.prefix)
    assert.equal(tinyVersion(two), '1.0')
  })

  it('removes what was left behind long ago', async () => {
    await using set = await environmentSetting(python)
    const one = await ensureEnvironment(set.options)
    const old = join(one.prefix, '..', 'old-attempt')
    await mkdir(old)
    await utimes(old, 1, 1)
    await rm(join(one.prefix, 'bin'), { recursive: true })
    await ensureEnvironment(set.options)
    assert.ok(!existsSync(old))
  })

  it('says which package does not exist, shows the installer’s output, and leaves nothing', async () => {
    await using set = await environmentSetting(python, 'no-such-package-of-ours==1.0\n')
    const error = await failure(ensureEnvironment(set.options))
    assert.ok(error instanceof RequirementsError)
    assert.equal(error.code, 'ERR_REQUIREMENTS')
    assert.match(error.message, /The package no-such-package-of-ours\S* was not found/)
    assert.match(error.output, /no-such-package-of-ours/)
    assert.deepEqual(await envFolders(set.folder.path), [])
  })

  it('never shows a password or a token', async () => {
    await using set = await environmentSetting(python)
    await writeFile(
      set.requirements,
      '--extra-index-url http://me:hunter2@localhost:9/simple?token=hunter3\nno-such-package-of-ours\n',
    )
    const lines: string[] = []
    const { PIP_NO_INDEX: _, ...env } = set.options.env!
    const error = await failure(
      ensureEnvironment({
        ...set.options,
        env: { ...env, PIP_INDEX_URL: 'http://me:hunter4@localhost:9/simple', PIP_RETRIES: '0' },
        onProgress: ({ message }) => lines.push(message),
      }),
    )
    assert.ok(error instanceof RequirementsError)
    assert.doesNotMatch(`${error.stack} ${error.output} ${lines.join()}`, /hunter/)
    assert.match(error.output, /\*\*\*@localhost|no-such-package-of-ours/)
  })

  it('names a file that is not there, and the file that includes it', async () => {
    await using set = await environmentSetting(python, '-r nowhere.txt\n')
    const missing = await failure(ensureEnvironment({ ...set.options, requirements: join(set.folder.path, 'x.txt') }))
    assert.ok(missing instanceof RequirementsError)
    assert.match(missing.message, /x\.txt does not exist/)
    const included = await failure(ensureEnvironment(set.options))
    assert.match(included.message, /nowhere\.txt does not exist, which .*requirements\.txt includes/)
  })

  it('stops when it is aborted, before and while it installs and while it waits', async () => {
    await using set = await environmentSetting(python)
    const reason = new Error('enough')
    const before = await failure(ensureEnvironment({ ...set.options, signal: AbortSignal.abort(reason) }))
    assert.ok(before instanceof PythonAbortError)
    assert.equal(before.cause, reason)

    const during = new AbortController()
    const error = await failure(
      ensureEnvironment({
        ...set.options,
        signal: during.signal,
        onProgress: ({ phase }) => phase === 'create' && setImmediate(() => during.abort(reason)),
      }),
    )
    assert.ok(error instanceof PythonAbortError)
    assert.deepEqual(await envFolders(set.folder.path), [])

    let released = false
    let give: (release: () => void) => void = () => {}
    const waiting = new AbortController()
    const waits = failure(
      ensureEnvironment({
        ...set.options,
        signal: waiting.signal,
        lock: () => new Promise((done) => (give = done)),
      }),
    )
    setTimeout(() => waiting.abort(reason), 50)
    assert.ok((await waits) instanceof PythonAbortError)
    give(() => (released = true))
    await sleep(0)
    assert.ok(released, 'a lock that comes too late is given back')
  })

  it('says where it wanted to write when it cannot', async () => {
    await using set = await environmentSetting(python)
    const file = join(set.folder.path, 'file')
    await writeFile(file, '')
    const error = await failure(ensureEnvironment({ ...set.options, env: { ...process.env, RXJS_PYTHON_CACHE: file } }))
    assert.ok(error instanceof RequirementsError)
    assert.match(error.message, /cannot be kept in .*RXJS_PYTHON_CACHE/)
  })

  it('does without uv where the uv on PATH does not run', async () => {
    await using set = await environmentSetting(python)
    const bin = join(set.folder.path, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'uv'), '#!/bin/sh\necho "uv: command not found" >&2\nexit 127\n')
    await chmod(join(bin, 'uv'), 0o755)
    const env = { ...set.options.env, PATH: `${bin}:${process.env.PATH}` }
    assert.equal(tinyVersion(await ensureEnvironment({ ...set.options, env })), '1.0')
  })

  it('keeps its cache where XDG says', () => {
    assert.equal(cacheFolder({ HOME: '/home/me' }), '/home/me/.cache/rxjs-python')
    assert.equal(cacheFolder({ HOME: '/home/me', XDG_CACHE_HOME: '/var/c' }), '/var/c/rxjs-python')
    assert.equal(cacheFolder({ XDG_CACHE_HOME: '/var/c', RXJS_PYTHON_CACHE: '/envs' }), '/envs')
  })
})
