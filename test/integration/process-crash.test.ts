import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { from, lastValueFrom, toArray } from 'rxjs'
import { mapPython, PythonCrashError, type PythonPool } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { openPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

const ENDINGS: [string, { signal: string | null; exitCode: number | null; trace?: RegExp }][] = [
  ['segfault', { signal: 'SIGSEGV', exitCode: null, trace: /Segmentation fault[\s\S]*in segfault/ }],
  ['abort', { signal: 'SIGABRT', exitCode: null, trace: /Aborted[\s\S]*in abort/ }],
  ['overflow', { signal: 'SIGSEGV', exitCode: null, trace: /in overflow/ }],
  ['kill', { signal: 'SIGKILL', exitCode: null }],
  ['terminated', { signal: 'SIGTERM', exitCode: null }],
  ['leave', { signal: null, exitCode: 7 }],
]

describe('a worker process that ends', () => {
  let pool: PythonPool
  before(async function () {
    this.timeout(300_000)
    pool = await openPool({ isolation: 'process', size: 2 })
  })
  after(() => pool?.close())

  for (const [name, { signal, exitCode, trace }] of ENDINGS) {
    it(`fails its batch and no other: ${name}`, async () => {
      const handler = pool.handler<unknown, unknown>('crashing:handle')
      const others = [1, 2, 3, 4].map((item) => handler.call([item]))
      const crash = handler.call([1, name])
      const later = [5, 6, 7, 8].map((item) => handler.call([item]))
      const error = await failsWith(crash, PythonCrashError, 'ERR_PYTHON_CRASH')
      assert.deepEqual([error.signal, error.exitCode], [signal, exitCode])
      assert.deepEqual([error.handler, error.batchSize], ['crashing:handle', 2])
      if (trace !== undefined) assert.match(error.pythonTraceback, trace)
      const answers = await Promise.all([...others, ...later])
      assert.deepEqual(answers.flat(), [1, 2, 3, 4, 5, 6, 7, 8])
    })
  }

  it('that wrote over the shared memory is replaced, and Node is not harmed', async () => {
    const handler = pool.handler<unknown, unknown>('crashing:handle')
    const error = await failsWith(handler.call(['scribble']), PythonCrashError, 'ERR_PYTHON_CRASH')
    assert.match(error.message, /the worker process/)
    assert.deepEqual(await Promise.all([1, 2, 3].map((item) => handler.call([item]))), [[1], [2], [3]])
    // Zeros may pass for a ring without messages, so that the call even has its answer.
    await handler.call(['wipe']).catch((other) => assert.equal(other.code, 'ERR_PYTHON_CRASH'))
    assert.deepEqual(await Promise.all([1, 2, 3].map((item) => handler.call([item]))), [[1], [2], [3]])
  })

  it('while it waits is replaced without anybody noticing', async () => {
    const handler = pool.handler<number, number>('crashing:process')
    const before = pool.info().crashes
    for (let round = 0; round < 3; round++) {
      const [victim] = await handler.call([1])
      process.kill(victim!, 'SIGKILL')
      while (pool.info().crashes <= before + round) await pause(1)
      const [next] = await handler.call([1])
      assert.notEqual(next, victim)
    }
  })

  it('takes the state of a scan with it, which is told instead of beginning anew', async () => {
    const scan = pool.handler<number, number>('crashing:counted').variant<number>('scan', { seed: 0 })
    assert.deepEqual(await scan.call([1, 2]), [1, 3])
    // Both workers, since it is not known which one has the state.
    const processes = pool.handler<number, number>('crashing:nap')
    const victims = new Set((await Promise.all([processes.call([0.1]), processes.call([0.1])])).flat())
    assert.equal(victims.size, 2)
    const before = pool.info().crashes
    for (const victim of victims) process.kill(victim, 'SIGKILL')
    while (pool.info().crashes < before + 2) await pause(1)
    const error = await failsWith(scan.call([1]), PythonCrashError, 'ERR_PYTHON_CRASH')
    assert.match(error.message, /the state of this handler was lost/)
    await scan.close()
  })

  it('that cannot be started at all says why', async () => {
    await assert.rejects(openPool({ isolation: 'process', env: { PYTHONHOME: '/nowhere' } }), (error: Error) => {
      assert.equal((error as { code?: string }).code, 'ERR_PYTHON_START')
      return /the worker process exited with code 1 before it was ready/.test(error.message)
    })
  })

  it('leaves every item of a stream accounted for, over 200 crashes', async function () {
    this.timeout(120_000)
    const before = pool.info().crashes
    const items = Array.from({ length: 4000 }, (_, i) => (i % 20 === 7 ? -1 - i : i))
    const failed: number[] = []
    const results = await lastValueFrom(
      from(items).pipe(
        mapPython<number, number>(pool.handler('crashing:poison'), {
          batch: 4,
          concurrency: 6,
          onError: (error, batch) => {
            assert.ok(error instanceof PythonCrashError, `${error}`)
            failed.push(...(batch as number[]))
            return undefined
          },
        }),
        toArray(),
      ),
    )
    const poisoned = items.filter((_, i) => [4, 5, 6, 7].includes(i % 20))
    assert.deepEqual(failed, poisoned)
    assert.deepEqual(
      results,
      items.filter((item) => !poisoned.includes(item)).map((item) => item * 2),
    )
    assert.equal(pool.info().crashes - before, 200)
  })
})

describe("onCrash: 'retry'", () => {
  let pool: PythonPool
  before(async function () {
    this.timeout(300_000)
    pool = await openPool({ isolation: 'process', size: 2, onCrash: 'retry' })
  })
  after(() => pool?.close())

  it('runs a batch once more', async () => {
    await using folder = await temporaryFolder()
    const handler = pool.handler<string, string>('crashing:once')
    assert.deepEqual(await handler.call([join(folder.path, 'done')]), ['survived'])
  })

  it('finds the item that crashes Python', async () => {
    const handler = pool.handler<number, number>('crashing:poison')
    for (const index of [0, 5, 63, 99]) {
      const items = Array.from({ length: 100 }, (_, i) => (i === index ? -1 : i))
      const error = await failsWith(handler.call(items), PythonCrashError, 'ERR_PYTHON_CRASH')
      assert.deepEqual([error.itemIndex, error.batchSize, error.signal], [index, 100, 'SIGSEGV'])
    }
  })

  it('keeps to the time limit of the call', async () => {
    const handler = pool.handler<number, number>('crashing:poison')
    const items = Array.from({ length: 4096 }, (_, i) => (i === 1234 ? -1 : i))
    const start = performance.now()
    await assert.rejects(handler.call(items, { timeout: 60 }), { code: 'ERR_TIMEOUT', timeout: 60 })
    assert.ok(performance.now() - start < 2000)
  })

  it('may be chosen for one handler', async () => {
    const handler = pool.handler<number, number>('crashing:poison', { onCrash: 'fail' })
    const error = await failsWith(handler.call([1, -1]), PythonCrashError, 'ERR_PYTHON_CRASH')
    assert.equal(error.itemIndex, undefined)
  })

  it('loses nothing but the poisoned items of a stream', async () => {
    const items = Array.from({ length: 600 }, (_, i) => (i % 150 === 77 ? -1 : i))
    const results = await lastValueFrom(
      from(items).pipe(
        mapPython<number, number>(pool.handler('crashing:poison'), { batch: 64, onError: 'skip', isolateErrors: true }),
        toArray(),
      ),
    )
    assert.deepEqual(
      results,
      items.filter((item) => item >= 0).map((item) => item * 2),
    )
  })
})
