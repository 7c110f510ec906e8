import assert from 'node:assert/strict'
import { lastValueFrom, tap, timer } from 'rxjs'
import { mapPython, OptionError } from '../../lib/index'
import { openPool } from '../fixtures/modes'
import { program } from '../fixtures/program'

const IDENTITY = { source: 'lambda batch: batch' }
const NAP = { source: 'import time\ndef handle(batch):\n    time.sleep(batch[0])\n    return batch' }

describe('pool.drain', () => {
  it('finishes streams and calls, then closes', async function () {
    this.timeout(60_000)
    const pool = await openPool()
    let taken = 0
    const results: number[] = []
    const stream = timer(0, 1).pipe(
      tap(() => taken++),
      mapPython<number, number>(IDENTITY, { pool, batch: 4 }),
      tap((item) => results.push(item)),
    )
    const ended = Object.assign(lastValueFrom(stream), { done: false })
    void ended.finally(() => (ended.done = true)).catch(() => {})
    const call = pool.handler(NAP).call([0.2])
    while (results.length < 20 && !ended.done) await new Promise(setImmediate)
    const drained = pool.drain()
    assert.equal(drained, pool.drain())
    await drained
    assert.ok(pool.closed)
    await ended
    assert.deepEqual(await call, [0.2])
    assert.deepEqual(
      results,
      Array.from({ length: taken }, (_, i) => i),
    )
    await assert.rejects(lastValueFrom(timer(0).pipe(mapPython(IDENTITY, { pool }))), {
      code: 'ERR_POOL_CLOSED',
    })
  })
})

describe('pool.closeOnSignal', function () {
  this.timeout(120_000)

  const opened = `
    const pool = await py.PythonPool.open({ python, path })
    const nap = pool.handler(${JSON.stringify(NAP)})
  `

  it('leaves when calls have their results and what else there is has closed', async () => {
    const { status, stdout, stderr } = await program(`${opened}
      pool.closeOnSignal({
        onDrained: async (signal) => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          console.log(signal, pool.closed)
        },
      })
      nap.call([0.3]).then(() => console.log('answered'))
      process.kill(process.pid, 'SIGTERM')
      setInterval(() => {}, 1000)
    `)
    assert.deepEqual([stdout, status], ['answered\nSIGTERM true\n', 143], stderr)
  })

  it('waits for all pools that asked for it', async () => {
    const { status, stdout, stderr } = await program(`${opened}
      const other = await py.PythonPool.open({ python, path })
      pool.closeOnSignal({ onDrained: () => console.log('one') })
      other.closeOnSignal({ signals: ['SIGHUP', 'SIGINT'], onDrained: () => console.log('other') })
      nap.call([0.2])
      process.kill(process.pid, 'SIGINT')
      setInterval(() => {}, 1000)
    `)
    assert.deepEqual([stdout.split('\n').sort(), status], [['', 'one', 'other'], 130], stderr)
  })

  it('leaves after the time limit whatever still runs', async () => {
    const { status, stdout, stderr } = await program(`${opened}
      pool.closeOnSignal({ timeout: 200, onDrained: () => console.log('drained') })
      nap.call([30])
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 50)
    `)
    assert.deepEqual([stdout, status], ['', 143], stderr)
  })

  it('leaves at once on a second signal', async () => {
    const { signal, stdout, stderr } = await program(`${opened}
      pool.closeOnSignal({ onDrained: () => console.log('drained') })
      nap.call([30])
      process.kill(process.pid, 'SIGTERM')
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 50)
    `)
    assert.deepEqual([stdout, signal], ['', 'SIGTERM'], stderr)
  })

  it('says so when closing fails, and leaves with 1', async () => {
    const { status, stderr } = await program(`${opened}
      pool.closeOnSignal({ onDrained: () => { throw new Error('of the sink') } })
      process.kill(process.pid, 'SIGTERM')
      setInterval(() => {}, 1000)
    `)
    assert.match(stderr, /Error: of the sink/)
    assert.equal(status, 1)
  })

  it('is over when the pool has closed, or when it is taken back', async () => {
    const { status, stdout, stderr } = await program(`${opened}
      const takeBack = pool.closeOnSignal()
      console.log(process.listenerCount('SIGTERM'), process.listenerCount('SIGINT'))
      takeBack()
      console.log(process.listenerCount('SIGTERM'), process.listenerCount('SIGINT'))
      pool.closeOnSignal()
      await pool.close()
      console.log(process.listenerCount('SIGTERM'), process.listenerCount('SIGINT'))
    `)
    assert.deepEqual([stdout, status], ['1 1\n0 0\n0 0\n', 0], stderr)
  })

  it('refuses options that it does not know', async () => {
    const pool = await openPool()
    const wrong = { signals: ['SIGNAL'], timeout: -1, onDrained: 1, after: 2 }
    assert.throws(
      () => pool.closeOnSignal(wrong as never),
      (error: OptionError) => error instanceof OptionError && error.problems.length === 4,
    )
    await pool.close()
    assert.throws(() => pool.closeOnSignal(), { code: 'ERR_POOL_CLOSED' })
  })
})
