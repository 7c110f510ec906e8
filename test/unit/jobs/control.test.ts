import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { map, merge, of, throwError } from 'rxjs'
import { type Job, type JobContext, type JobState, replay, runJob } from '../../../lib/jobs'
import { slowly, startJob } from '../../fixtures/jobs/jobs'
import { temporaryFolder } from '../../fixtures/temporary'

const NUMBERS = Array.from({ length: 4_000 }, (_, at) => at)
const EXPECTED = `${NUMBERS.join('\n')}\n`
const numbers = (job: JobContext) => job.source('numbers', slowly(NUMBERS, 20))

type Method = 'checkpoint' | 'suspend' | 'resume' | 'cancel' | 'snapshot' | 'snapshots' | 'dropSnapshot' | 'restart'

const CALLS: Record<Method, (job: Job) => Promise<unknown>> = {
  checkpoint: (job) => job.checkpoint(),
  suspend: (job) => job.suspend(),
  resume: (job) => job.resume(),
  cancel: (job) => job.cancel(),
  snapshot: (job) => job.snapshot('kept'),
  snapshots: (job) => job.snapshots(),
  dropSnapshot: (job) => job.dropSnapshot('none'),
  restart: (job) => job.restart(),
}

/** What state a call leads to; undefined: it is refused. */
const LEADS: Record<JobState, Record<Method, JobState | undefined>> = {
  running: {
    checkpoint: 'running',
    suspend: 'suspended',
    resume: 'running',
    cancel: 'cancelled',
    snapshot: 'running',
    snapshots: 'running',
    dropSnapshot: 'running',
    restart: 'running',
  },
  suspended: {
    checkpoint: 'suspended',
    suspend: 'suspended',
    resume: 'running',
    cancel: 'cancelled',
    snapshot: 'suspended',
    snapshots: 'suspended',
    dropSnapshot: 'suspended',
    restart: 'running',
  },
  completed: refused('completed'),
  failed: refused('failed'),
  cancelled: refused('cancelled'),
}

function refused(state: JobState): Record<Method, JobState | undefined> {
  const all = Object.fromEntries(Object.keys(CALLS).map((method) => [method, undefined]))
  return { ...all, cancel: state } as Record<Method, JobState | undefined>
}

/** A job that is in `state`. */
async function jobIn(state: JobState, folder: string): Promise<Job> {
  if (state === 'completed') {
    const { job } = await startJob(folder, () => of(1))
    await job.done
    return job
  }
  if (state === 'failed') {
    const failing = (job: JobContext) =>
      job.source('numbers', replay([1])).pipe(
        map(() => {
          throw new Error('as it should')
        }),
      )
    const { job } = await startJob(folder, failing)
    await assert.rejects(job.done, /as it should/)
    return job
  }
  const { job } = await startJob(folder, numbers, { checkpoint: { store: folder, every: 60_000 } })
  if (state === 'suspended') await job.suspend()
  if (state === 'cancelled') await job.cancel()
  return job
}

describe('a job’s control', () => {
  for (const state of Object.keys(LEADS) as JobState[]) {
    for (const method of Object.keys(CALLS) as Method[]) {
      const leads = LEADS[state][method]
      it(`${method}() of a ${state} job ${leads === undefined ? 'is refused' : `leaves it ${leads}`}`, async () => {
        await using folder = await temporaryFolder()
        const job = await jobIn(state, folder.path)
        assert.equal(job.state, state)
        if (leads === undefined) {
          await assert.rejects(CALLS[method](job), { code: 'ERR_JOB_STATE', message: new RegExp(`is ${state}`) })
          assert.equal(job.state, state)
        } else {
          await CALLS[method](job)
          assert.equal(job.state, leads)
        }
        await job.cancel()
      })
    }
  }

  it('rests while it is suspended, and goes on as if nothing had been', async () => {
    await using folder = await temporaryFolder()
    const { job, output } = await startJob(folder.path, numbers)
    for (let round = 0; round < 3; round++) {
      await sleep(4)
      await job.suspend()
      const before = await output()
      await sleep(10)
      assert.equal(await output(), before)
      await job.resume()
    }
    await job.done
    assert.equal(await output(), EXPECTED)
  })

  it('starts anew from the last checkpoint in the middle of everything', async () => {
    await using folder = await temporaryFolder()
    const { job, output } = await startJob(folder.path, numbers)
    for (let round = 0; round < 4; round++) {
      await sleep(4)
      await job.restart()
    }
    await job.done
    assert.equal(await output(), EXPECTED)
  })

  it('carries out calls one after the other', async () => {
    await using folder = await temporaryFolder()
    const { job, output } = await startJob(folder.path, numbers)
    const calls = [job.checkpoint(), job.suspend(), job.snapshot('a'), job.resume(), job.restart(), job.checkpoint()]
    await Promise.all(calls)
    assert.deepEqual(await job.snapshots(), ['a'])
    await job.done
    assert.equal(await output(), EXPECTED)
  })

  it('is for one process at a time', async () => {
    await using folder = await temporaryFolder()
    const { job } = await startJob(folder.path, numbers)
    await assert.rejects(startJob(folder.path, numbers), { code: 'ERR_JOB_RUNNING', message: /in this process/ })
    await job.checkpoint()
    await job.cancel()
    const again = await startJob(folder.path, numbers)
    await again.job.cancel()
  })

  it('fails to start where the pipeline fails at once', async () => {
    await using folder = await temporaryFolder()
    await assert.rejects(
      startJob(folder.path, () => throwError(() => new Error('at once'))),
      /at once/,
    )
    const { job } = await startJob(folder.path, numbers)
    await job.cancel()
  })

  it('refuses options that are wrong, all at once', async () => {
    const options = { name: 'a b', pipline: () => of(1), checkpoint: { store: '', evry: 1 }, sink: {} }
    await assert.rejects(runJob(options as never), (error: Error & { problems: string[] }) => {
      const text = error.problems.join('\n')
      for (const part of ["'name'", "'pipeline'", "'checkpoint.every'", "'checkpoint.store'", "'sink'", "'pipline'"]) {
        assert.ok(text.includes(part), `${part} in ${text}`)
      }
      return true
    })
  })

  it('refuses a source that is subscribed twice', async () => {
    await using folder = await temporaryFolder()
    const twice = (job: JobContext) => {
      const source = numbers(job)
      return merge(source, source)
    }
    await assert.rejects(startJob(folder.path, twice), { code: 'ERR_OPTION', message: /'numbers' is subscribed twice/ })
  })
})
