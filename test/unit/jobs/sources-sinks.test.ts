import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { take } from 'rxjs'
import { type JobContext, runJob, type Sink, type Source } from '../../../lib/jobs'
import { temporaryFolder } from '../../fixtures/temporary'

/** A queue outside: what is not committed is given again to the next reader, and no more than `window` of it at a time. */
class Queue implements Source<number, { upTo: number }> {
  readonly commits: number[] = []
  closes = 0
  aborted = 0
  private wake = () => {}

  constructor(
    private readonly count: number,
    private readonly window = Number.POSITIVE_INFINITY,
    private readonly refuse = false,
  ) {}

  get committed(): number {
    return this.commits.at(-1) ?? 0
  }

  async *read(position: { upTo: number } | undefined, signal?: AbortSignal, commitSoon?: () => void) {
    signal?.addEventListener('abort', () => {
      this.aborted++
      this.wake()
    })
    for (let at = position?.upTo ?? this.committed; at < this.count; at++) {
      while (at - this.committed >= this.window && !signal?.aborted) {
        commitSoon?.()
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
      if (signal?.aborted) return
      yield [at, { upTo: at + 1 }] as const
    }
  }

  async commit({ upTo }: { upTo: number }): Promise<void> {
    if (this.refuse) throw new Error('the queue refuses')
    this.commits.push(upTo)
    this.wake()
  }

  close(): void {
    this.closes++
  }
}

/** A sink that keeps values by what has been told of them. */
class Shelf<T> implements Sink<T> {
  readonly written: T[] = []
  committed = 0
  constructor(private readonly wait?: () => Promise<void>) {}
  open() {}
  write(value: T): void | Promise<void> {
    this.written.push(value)
    return this.wait?.()
  }
  async prepare() {
    return this.written.length
  }
  async commit() {
    this.committed = this.written.length
  }
  close() {}
}

const read =
  <T>(source: Source<T>) =>
  (job: JobContext) =>
    job.source('queue', source)

describe('the sources of a job', () => {
  it('are told of a position when the checkpoint with it is safe and the sink has committed, and are closed at the end', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(500)
    const sink = new Shelf<number>()
    const atCommit: number[] = []
    const commit = queue.commit.bind(queue)
    queue.commit = async (position) => {
      atCommit.push(sink.committed - position.upTo)
      await commit(position)
    }
    const job = await runJob({ name: 'j', pipeline: read(queue), sink, checkpoint: { store: folder.path, every: 5 } })
    await job.done
    assert.equal(queue.committed, 500)
    assert.ok(
      atCommit.every((ahead) => ahead >= 0),
      `the sink was behind the source by ${Math.min(...atCommit)}`,
    )
    assert.equal(queue.closes, 1)
    assert.ok(queue.aborted >= 1)
  })

  it('are told no position twice', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(10)
    const job = await runJob({ name: 'j', pipeline: read(queue), checkpoint: { store: folder.path, every: 60_000 } })
    await job.done
    assert.deepEqual([...new Set(queue.commits)], queue.commits)
  })

  it('get a checkpoint when they ask for one', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(1_000, 100)
    const job = await runJob({ name: 'j', pipeline: read(queue), checkpoint: { store: folder.path, every: 60_000 } })
    await job.done
    assert.equal(queue.committed, 1_000)
    assert.ok(queue.commits.length >= 10, `${queue.commits.length} commits`)
  })

  it('hear of the last position also where the pipeline wanted no more', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(1_000)
    const job = await runJob({
      name: 'j',
      pipeline: (context) => context.source('queue', queue).pipe(take(7)),
      checkpoint: { store: folder.path, every: 60_000 },
    })
    await job.done
    assert.equal(queue.committed, 7)
    assert.equal(queue.aborted, 1)
  })

  it('fail the job where they refuse a commit', async () => {
    await using folder = await temporaryFolder()
    const job = await runJob({
      name: 'j',
      pipeline: read(new Queue(10, Number.POSITIVE_INFINITY, true)),
      checkpoint: { store: folder.path, every: 60_000 },
    })
    await assert.rejects(job.done, /the queue refuses/)
    assert.equal(job.state, 'failed')
  })

  it('do not keep a job from being cancelled while a commit has no answer', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(1_000, 10)
    let asked = false
    queue.commit = () => {
      asked = true
      return new Promise(() => {})
    }
    const job = await runJob({ name: 'j', pipeline: read(queue), checkpoint: { store: folder.path, every: 5 } })
    while (!asked) await sleep(1)
    await job.cancel()
    await job.done
    assert.equal(queue.closes, 1)
  })

  it('are closed and read anew by a restart', async () => {
    await using folder = await temporaryFolder()
    const queue = new Queue(2_000, 500)
    const sink = new Shelf<number>()
    const job = await runJob({ name: 'j', pipeline: read(queue), sink, checkpoint: { store: folder.path, every: 5 } })
    await job.checkpoint()
    await job.restart()
    await job.done
    assert.equal(queue.closes, 2)
    assert.equal(new Set(sink.written).size, 2_000)
    assert.equal(queue.committed, 2_000)
  })
})

describe('a sink that takes its time', () => {
  it('holds the sources back until it has taken what came', async () => {
    await using folder = await temporaryFolder()
    const waiting: (() => void)[] = []
    let most = 0
    const sink = new Shelf<number>(() => {
      const taken = new Promise<void>((resolve) => waiting.push(resolve))
      most = Math.max(most, waiting.length)
      setImmediate(() => waiting.shift()?.())
      return taken
    })
    const job = await runJob({
      name: 'j',
      pipeline: read(new Queue(300)),
      sink,
      checkpoint: { store: folder.path, every: 5 },
    })
    await job.done
    assert.deepEqual(
      sink.written,
      Array.from({ length: 300 }, (_, at) => at),
    )
    assert.ok(most <= 2, `${most} values at a time`)
  })

  it('is waited for before an epoch ends', async () => {
    await using folder = await temporaryFolder()
    let pending = 0
    const atPrepare: number[] = []
    const sink = new Shelf<number>(async () => {
      pending++
      await sleep(1)
      pending--
    })
    sink.prepare = async () => {
      atPrepare.push(pending)
      return 0
    }
    const job = await runJob({
      name: 'j',
      pipeline: read(new Queue(100)),
      sink,
      checkpoint: { store: folder.path, every: 3 },
    })
    await job.done
    assert.ok(atPrepare.length > 2)
    assert.deepEqual([...new Set(atPrepare)], [0])
  })

  it('fails the job where its promise rejects', async () => {
    await using folder = await temporaryFolder()
    const sink = new Shelf<number>(() => Promise.reject(new Error('no room')))
    const job = await runJob({ name: 'j', pipeline: read(new Queue(10)), sink, checkpoint: folder.path })
    await assert.rejects(job.done, /no room/)
  })

  it('is told by its signal when the job ends, and need not wait for the outside any more', async () => {
    await using folder = await temporaryFolder()
    const sink = new Shelf<number>()
    let signal: AbortSignal | undefined
    sink.open = ((_saved: unknown, given: AbortSignal) => {
      signal = given
    }) as never
    let stuck = false
    let first = true
    sink.commit = async () => {
      if (first) {
        first = false
        return
      }
      stuck = true
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('given up'))))
    }
    const job = await runJob({
      name: 'j',
      pipeline: read(new Queue(1_000, 10)),
      sink,
      checkpoint: { store: folder.path, every: 5 },
    })
    while (!stuck) await sleep(1)
    await job.cancel()
    assert.equal(job.state, 'cancelled')
    await job.done
  })
})
