import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { from, lastValueFrom, toArray } from 'rxjs'
import { type DebuggerInfo, mapPython, PythonPool } from '../../lib/index'
import { DebugClient } from '../fixtures/debugClient'
import { HANDLERS } from '../fixtures/modes'
import { pythonWith, testPython } from '../fixtures/python'

const FILE = join(HANDLERS, 'debugged.py')
/** Lines of it. */
const MODULE = 3
const LOOP = 9
const TOTAL = 15

describe('debugging', function () {
  this.timeout(120_000)
  let python: string
  before(async function () {
    this.timeout(300_000)
    python = await pythonWith('debug')
  })

  const only = process.env.RXJS_PYTHON_TEST_ISOLATION
  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    if (only && only !== isolation) continue
    it(`a handler waits for a debugger, which stops it in its file and reads variables: ${isolation}`, async () => {
      await using pool = await PythonPool.open({ python, path: HANDLERS, isolation, size: 2 })
      const heard: DebuggerInfo[] = []
      pool.on('debug', (info) => heard.push(info as DebuggerInfo))
      const double = pool.handler<number, number>('debugged:double', { debug: true })
      const plain = pool.handler<number, number>('def handle(batch):\n    return batch')

      const result = double.call([20, 21], { timeout: 1 })
      while (heard.at(-1)?.state !== 'waiting') await once(pool, 'debug')
      const [{ handler, host, port, state } = heard[0]!] = pool.info().debug as DebuggerInfo[]
      assert.deepEqual({ handler, host, state }, { handler: 'debugged:double', host: '127.0.0.1', state: 'waiting' })
      // Nothing else waits with it.
      assert.deepEqual(await plain.call([7]), [7])

      const client = await DebugClient.attach({ host, port }, FILE, [MODULE, LOOP])
      const loading = await client.stopped()
      assert.equal(loading.at, `<module>:${MODULE}`)
      await client.ask('continue', { threadId: loading.thread })
      const first = await client.stopped()
      assert.equal(first.at, `double:${LOOP}`)
      assert.deepEqual([first.variables.item, first.variables.results], ['20', '[]'])
      assert.equal(pool.info().debug[0]?.state, 'attached')
      await client.ask('continue', { threadId: first.thread })
      const second = await client.stopped()
      assert.deepEqual([second.variables.item, second.variables.results], ['21', '[40]'])
      await client.breakpoints(FILE, [])
      await client.ask('continue', { threadId: second.thread })
      assert.deepEqual(await result, [40, 42])

      await client.detach()
      assert.deepEqual(await double.call([1]), [2], 'it goes on without the debugger')
      await double.close()
      assert.deepEqual(pool.info().debug, [])
    })
  }

  it('an operator, an async handler, and a pool whose handlers are all debugged share the one address', async () => {
    const isolation = (only as 'shared' | undefined) || 'process'
    await using pool = await PythonPool.open({ python, path: HANDLERS, isolation, size: 2, debug: true })
    const waiting = once(pool, 'debug') as Promise<[DebuggerInfo]>
    const results = lastValueFrom(from([1, 2, 3]).pipe(mapPython('debugged:later', { pool }), toArray()))
    const [{ host, port }] = await waiting
    const client = await DebugClient.attach({ host, port }, FILE, [TOTAL + 1])
    const stop = await client.stopped()
    assert.equal(stop.variables.total, '6')
    await client.ask('continue', { threadId: stop.thread })
    assert.deepEqual(await results, [6, 6, 6])
    const other = pool.handler<number, number>('debugged:double')
    await client.breakpoints(FILE, [])
    assert.deepEqual(await other.call([4]), [8], 'it waits for no second one')
    assert.deepEqual(new Set((pool.info().debug as DebuggerInfo[]).map((info) => info.port)), new Set([port]))
    await client.detach()
  })

  it('a signal ends the wait, and without waiting the handler just runs', async () => {
    const isolation = (only as 'shared' | undefined) || 'process'
    await using pool = await PythonPool.open({ python, path: HANDLERS, isolation })
    const double = pool.handler<number, number>('debugged:double', { debug: true })
    const abort = new AbortController()
    pool.on('debug', ({ state }) => state === 'waiting' && abort.abort())
    await assert.rejects(double.call([1], { signal: abort.signal }), { code: 'ERR_ABORTED' })
    const free = pool.handler<number, number>('debugged:plain', { debug: { wait: false } })
    assert.deepEqual(await free.call([5]), [5])
  })

  it('a Python without debugpy is an error that says what to install', async () => {
    await using pool = await PythonPool.open({ python: await testPython(), path: HANDLERS, isolation: 'process' })
    const handler = pool.handler('debugged:double', { debug: true })
    await assert.rejects(handler.call([1]), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_HANDLER_INIT')
      assert.match(error.message, /needs the package debugpy.*-m pip install debugpy/)
      return true
    })
  })
})
