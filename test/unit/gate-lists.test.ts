import assert from 'node:assert/strict'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { lastValueFrom, take, toArray } from 'rxjs'
import { fromSource, runJob, type Source } from '../../lib/jobs'
import { fromListsMinding } from '../../lib/sources/fromIterable'
import { Gate, subscribeWithin } from '../../lib/sources/gate'
import { TestSink } from '../../lib/testing'

/** Lists of numbers from 0 on; `read` are those that were asked for. */
function lists(sizes: readonly number[]) {
  const state = { read: 0, closed: false }
  async function* make(): AsyncGenerator<number[]> {
    let next = 0
    try {
      for (const size of sizes) {
        await turn()
        state.read++
        yield Array.from({ length: size }, () => next++)
      }
    } finally {
      state.closed = true
    }
  }
  return { state, make }
}

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)

describe('Sources that give several items at a time', () => {
  it('give each item, in order, whatever the sizes of the lists', async () => {
    const { make, state } = lists([0, 3, 1, 0, 20_000, 0])
    assert.deepEqual(await lastValueFrom(fromListsMinding(make, undefined).pipe(toArray())), numbers(20_004))
    assert.equal(state.closed, true)
  })

  it('stop within a list while a gate is closed, and ask for no other one', async () => {
    const { make, state } = lists([5, 5, 5])
    const gate = new Gate()
    const seen: number[] = []
    subscribeWithin(gate, () => {
      fromListsMinding(make, undefined).subscribe((item) => {
        seen.push(item)
        if (item === 2) gate.close()
      })
    })
    await sleep(20)
    assert.deepEqual(seen, [0, 1, 2])
    assert.equal(state.read, 1)
    gate.open()
    await sleep(20)
    assert.deepEqual(seen, numbers(15))
  })

  it('hold back what comes while the gate of a job is closed, also the end', async () => {
    const { make } = lists([2])
    const gate = new Gate()
    gate.close()
    const seen: unknown[] = []
    fromListsMinding(make, gate).subscribe({ next: (item) => seen.push(item), complete: () => seen.push('end') })
    await sleep(20)
    assert.deepEqual(seen, [])
    gate.open()
    await turn()
    gate.close()
    await sleep(20)
    gate.open()
    await sleep(20)
    assert.deepEqual(seen, [0, 1, 'end'])
  })

  it('are closed when nobody wants more', async () => {
    const { make, state } = lists([10, 10, 10])
    const some = await lastValueFrom(fromListsMinding(make, undefined).pipe(take(4), toArray()))
    assert.deepEqual(some, [0, 1, 2, 3])
    await sleep(20)
    assert.equal(state.closed, true)
    assert.equal(state.read, 1)
  })

  it('let the event loop turn', async () => {
    const { make } = lists([200_000])
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    let work = 0
    await lastValueFrom(
      fromListsMinding(make, undefined).pipe((source) => {
        source.subscribe(() => {
          for (let at = 0; at < 200; at++) work += at
        })
        return source
      }),
    )
    clearInterval(timer)
    assert.ok(turns > 0 && work > 0)
  })

  it('pass on what reading throws, behind what came before', async () => {
    const seen: unknown[] = []
    async function* failing(): AsyncGenerator<number[]> {
      yield [1, 2]
      throw new Error('gone')
    }
    await new Promise<void>((resolve) => {
      fromListsMinding(failing, undefined).subscribe({
        next: (item) => seen.push(item),
        error: (error: Error) => {
          seen.push(error.message)
          resolve()
        },
      })
    })
    assert.deepEqual(seen, [1, 2, 'gone'])
  })

  describe('in a job and by fromSource', () => {
    const source = (): Source<number, number> & { asked: number[] } => ({
      asked: [],
      // biome-ignore lint/correctness/useYield: the point is that nobody comes here
      async *read() {
        throw new Error('readMany is there')
      },
      async *readMany(position = 0) {
        this.asked.push(position)
        for (let at = position; at < 1000; at += 7) {
          await turn()
          const list = Array.from({ length: Math.min(7, 1000 - at) }, (_, index) => at + index)
          yield list.map((item) => [item, item + 1] as const)
        }
      },
    })

    it('are read by readMany', async () => {
      assert.deepEqual(await lastValueFrom(fromSource(source()).pipe(toArray())), numbers(1000))
      const sink = new TestSink<number>()
      sink.drain(fromSource(source(), { from: 990 }))
      await sleep(20)
      assert.deepEqual(sink.items, numbers(1000).slice(990))
    })

    it('go on within a list after a checkpoint', async () => {
      const { mkdtemp, rm } = await import('node:fs/promises')
      const { tmpdir } = await import('node:os')
      const { join } = await import('node:path')
      const store = await mkdtemp(join(tmpdir(), 'rxjs-python-lists-'))
      const results: number[] = []
      let epoch: number[] = []
      const sink = {
        open() {
          epoch = []
        },
        write(item: number) {
          epoch.push(item)
          // The gate closes after each item: a checkpoint comes anywhere in a list.
          return sleep(item % 50 === 0 ? 1 : 0).then(() => {})
        },
        async prepare() {
          results.push(...epoch)
          epoch = []
          return null
        },
        commit: async () => {},
        close() {},
      }
      const given = source()
      try {
        for (let runs = 0; ; runs++) {
          const job = await runJob<number>({
            name: 'lists',
            pipeline: (context) => context.source('numbers', given),
            sink,
            checkpoint: { store, every: 5 },
          })
          if (runs < 3) {
            await sleep(40)
            await job.suspend()
            await job.cancel()
            continue
          }
          await job.done
          break
        }
      } finally {
        await rm(store, { recursive: true, force: true })
      }
      assert.deepEqual(results, numbers(1000))
      assert.ok(given.asked.some((position) => position % 7 !== 0))
    })
  })
})
