import assert from 'node:assert/strict'
import { lastValueFrom, range, toArray } from 'rxjs'
import { mapPython, type PythonPool } from '../../lib/index'
import { openPool } from '../fixtures/modes'

/** Milliseconds that an interpreter may take to be replaced on a busy machine. */
const PATIENCE = 20_000

/** Tells how many interpreters ran `init` before, how many batches this one has run, and which process it is. */
const COUNTING = `
  import os, time
  ready = False
  count = 0
  def load():
      global ready
      time.sleep(0.3)
      ready = True
  def handle(batch):
      global count
      count += 1
      time.sleep(0.001)
      return [[item, count, ready, os.getpid()] for item in batch]
`

type Answer = [item: number, count: number, ready: boolean, process: number]

for (const isolation of ['namespace', 'process'] as const) {
  for (const size of [1, 2]) {
    describe(`recycleAfter, ${isolation} (${size})`, function () {
      this.timeout(60_000)
      this.retries(2) // a busy machine may stop a process for as long as init takes

      it('replaces interpreters under a stream, which loses nothing and hardly waits', async () => {
        await using pool = await openPool({ isolation, size, recycleAfter: 40 })
        const handler = pool.handler<number, Answer>(
          { source: COUNTING, function: 'handle' },
          { init: { source: COUNTING, function: 'load' } },
        )
        await handler.call([])
        let longest = 0
        let last = performance.now()
        const stream = range(0, 8000).pipe(mapPython(handler, { batch: 4 }))
        const answers: Answer[] = []
        await stream.forEach((answer) => {
          const now = performance.now()
          longest = Math.max(longest, now - last)
          last = now
          answers.push(answer)
        })
        assert.deepEqual(
          answers.map(([item]) => item),
          Array.from({ length: 8000 }, (_, i) => i),
        )
        assert.ok(
          answers.every(([, , ready]) => ready),
          'init has run everywhere',
        )
        assert.ok(longest < 300, `no result for ${longest} ms, as if the stream had waited for init`)
        const { recycled, size: now } = pool.info()
        assert.ok(recycled >= 2, `${recycled} were replaced`)
        assert.equal(now, size)
        // An interpreter counts anew: none has run as many batches as the stream had.
        assert.ok(answers.some(([, count], i) => i > 1000 && count < 40))
        if (isolation === 'process') assert.ok(new Set(answers.map((answer) => answer[3])).size > size)
        else assert.equal(new Set(answers.map((answer) => answer[3])).size, 1)
      })
    })
  }
}

describe('recycleAfter', function () {
  this.timeout(60_000)

  it('by memory replaces the process that has grown, and that one alone', async () => {
    await using pool = await openPool({ size: 2, recycleAfter: { memory: 150 << 20 } })
    assert.equal(pool.info().isolation, 'process')
    assert.match(pool.info().reason, /gives all its memory back/)
    const leaking = pool.handler<number, number>(`
      import os
      leaked = []
      def handle(batch):
          leaked.append(bytearray(batch[0] << 20))
          return [os.getpid()]
    `)
    const key = 'the one that leaks'
    const [before] = await leaking.call([10], { key })
    assert.equal((await leaking.call([200], { key }))[0], before)
    const until = performance.now() + PATIENCE
    while (pool.info().recycled === 0) {
      assert.ok(performance.now() < until, 'it was not replaced')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const [after] = await leaking.call([1], { key })
    assert.notEqual(after, before)
    await new Promise((resolve) => setTimeout(resolve, 600))
    assert.equal((await leaking.call([1], { key }))[0], after)
    assert.equal(pool.info().recycled, 1)
    assert.equal(pool.info().crashes, 0)
  })

  it('leaves the interpreter of a scan until the scan has ended', async () => {
    await using pool = await openPool({ isolation: 'process', size: 1, recycleAfter: { batches: 5 } })
    const scan = pool.handler<number, number>('lambda state, item: state + item').variant('scan', { seed: 0 })
    for (let i = 1; i <= 20; i++) assert.deepEqual(await scan.call([1]), [i])
    assert.equal(pool.info().recycled, 0)
    await scan.close()
    const until = performance.now() + PATIENCE
    while (pool.info().recycled === 0) {
      assert.ok(performance.now() < until, 'it was not replaced')
      await run(pool, 10)
    }
  })

  it('is kept by a pool that closes in the middle of it', async () => {
    for (const isolation of ['namespace', 'process'] as const) {
      for (const end of ['close', 'destroy'] as const) {
        const pool = await openPool({ isolation, size: 2, recycleAfter: 1 })
        await run(pool, 20)
        await pool[end]()
        assert.equal(pool.closed, true)
      }
    }
  })
})

async function run(pool: PythonPool, batches: number): Promise<void> {
  const answers = range(0, batches).pipe(mapPython(pool.handler<number, number>('seen'), { batch: 1 }), toArray())
  assert.equal((await lastValueFrom(answers)).length, batches)
}
