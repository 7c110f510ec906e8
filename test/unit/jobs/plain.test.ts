import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { firstValueFrom, lastValueFrom, Subject, take, toArray } from 'rxjs'
import { fromSource, replay, type Sink, type Source, toSink } from '../../../lib/jobs'

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at)

/** A source of numbers that notes what it is told. */
function watched(count: number) {
  const seen = { commits: [] as number[], closes: 0, aborted: false, given: 0 }
  const source: Source<number, number> = {
    async *read(position = 0, signal) {
      signal?.addEventListener('abort', () => {
        seen.aborted = true
      })
      for (let at = position; at < count; at++) {
        seen.given++
        yield [at, at + 1]
      }
    },
    commit: (position) => {
      seen.commits.push(position)
    },
    close: () => {
      seen.closes++
    },
  }
  return { source, seen }
}

describe('fromSource', () => {
  it('gives the items from a position on, acknowledges nothing, and closes the source', async () => {
    const { source, seen } = watched(10)
    assert.deepEqual(await lastValueFrom(fromSource(source, { from: 6 }).pipe(toArray())), [6, 7, 8, 9])
    assert.deepEqual(seen.commits, [])
    assert.equal(seen.closes, 1)
  })

  it('acknowledges what it has given, before it ends, where it is told to', async () => {
    const { source, seen } = watched(10)
    await lastValueFrom(fromSource(source, { acknowledge: true }))
    assert.deepEqual(seen.commits, [10])
    assert.equal(seen.closes, 1)
  })

  it('acknowledges no more than was taken', async () => {
    const { source, seen } = watched(10_000)
    await lastValueFrom(fromSource(source, { acknowledge: true }).pipe(take(3)))
    while (seen.closes === 0) await sleep(1)
    assert.deepEqual(seen.commits, [3])
    assert.ok(seen.aborted)
  })

  it('ends with its signal', async () => {
    const { source, seen } = watched(Number.POSITIVE_INFINITY)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 5)
    await lastValueFrom(fromSource(source, { signal: controller.signal }))
    assert.ok(seen.aborted)
    assert.equal(
      await lastValueFrom(fromSource(source, { signal: controller.signal }), { defaultValue: 'none' }),
      'none',
    )
  })

  it('passes on what the source fails with', async () => {
    const source: Source<number, number> = {
      // biome-ignore lint/correctness/useYield: it fails at once
      async *read() {
        throw new Error('not there')
      },
    }
    await assert.rejects(firstValueFrom(fromSource(source)), /not there/)
  })

  it('says all that is wrong with its options', () => {
    assert.throws(() => fromSource({} as never, { every: -1, acknowledge: 1 } as never), /3 options are wrong/)
  })
})

class Shelf implements Sink<number> {
  readonly values: number[] = []
  readonly calls: string[] = []
  most = 0
  private pending = 0

  constructor(private readonly slow: boolean) {}
  open() {
    this.calls.push('open')
  }
  write(value: number) {
    this.values.push(value)
    if (!this.slow) return
    this.pending++
    this.most = Math.max(this.most, this.pending)
    return sleep(0).then(() => {
      this.pending--
    })
  }
  async prepare(epoch: number) {
    this.calls.push(`prepare ${epoch}, ${this.pending} pending`)
  }
  async commit(epoch: number) {
    this.calls.push(`commit ${epoch}`)
  }
  close() {
    this.calls.push('close')
  }
}

describe('toSink', () => {
  it('writes everything, in epochs, and tells how much is safe', async () => {
    const sink = new Shelf(false)
    const counts = await lastValueFrom(fromSource(replay(numbers(100))).pipe(toSink(sink), toArray()))
    assert.deepEqual(sink.values, numbers(100))
    assert.deepEqual(counts, [100])
    assert.deepEqual(sink.calls, ['open', 'prepare 1, 0 pending', 'commit 1', 'close'])
  })

  it('holds a source back while the sink is busy, and waits for it before an epoch ends', async () => {
    const sink = new Shelf(true)
    const counts = await lastValueFrom(fromSource(replay(numbers(200))).pipe(toSink(sink, { every: 5 }), toArray()))
    assert.deepEqual(sink.values, numbers(200))
    assert.equal(counts.at(-1), 200)
    assert.ok(sink.most <= 2, `${sink.most} values at a time`)
    assert.ok(sink.calls.filter((call) => call.startsWith('prepare')).every((call) => call.endsWith(' 0 pending')))
  })

  it('keeps what a hot source sends before the sink is open', async () => {
    const sink = new Shelf(false)
    const subject = new Subject<number>()
    const done = lastValueFrom(subject.pipe(toSink(sink)))
    subject.next(1)
    subject.next(2)
    subject.complete()
    assert.equal(await done, 2)
    assert.deepEqual(sink.values, [1, 2])
  })

  it('fails with the stream, and with the sink, which is closed', async () => {
    const sink = new Shelf(false)
    const subject = new Subject<number>()
    const done = lastValueFrom(subject.pipe(toSink(sink)))
    subject.error(new Error('broken stream'))
    await assert.rejects(done, /broken stream/)
    assert.equal(sink.calls.at(-1), 'close')

    const broken = new Shelf(false)
    broken.write = () => Promise.reject(new Error('broken sink'))
    await assert.rejects(lastValueFrom(fromSource(replay([1, 2])).pipe(toSink(broken))), /broken sink/)
    assert.equal(broken.calls.at(-1), 'close')
  })
})
