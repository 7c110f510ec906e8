import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, describe, it } from 'mocha'
import type { EmbeddedKafka } from '../../../lib/testing'
import { testPython } from '../../fixtures/python'
import { needKafka, startKafka } from '../servers/kafka'
import { judge, untilCommitted, Worker, type WorkerOptions } from './workers'

const RECORDS = 20_000
const KEYS = 100

describe('a Kafka job with state and Python', function () {
  this.timeout(400_000)
  let kafka: EmbeddedKafka
  let python: string
  let folder: string
  const workers: Worker[] = []

  before(async function () {
    needKafka(this)
    folder = mkdtempSync(join(tmpdir(), 'rxjs-python-kafka-job-'))
    python = await testPython()
    kafka = await startKafka({ client: 'confluent' })
  })
  after(async () => {
    await Promise.all(workers.map((worker) => worker.kill()))
    await kafka?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  function start(number: number, more: Partial<WorkerOptions> = {}): Worker {
    const options: WorkerOptions = {
      main: join(__dirname, '../../../lib/main.ts'),
      name: 'counting',
      brokers: kafka.brokers,
      input: 'in',
      output: 'out',
      store: join(folder, `${number}`),
      python,
      handlers: [join(__dirname, 'handlers')],
      pipeline: { name: 'count', pool: { size: 1, isolation: 'shared' } },
      ...more,
    }
    const worker = new Worker(options)
    workers.push(worker)
    return worker
  }

  it('loses and doubles nothing over two kills of a worker and one of the broker', async () => {
    await kafka.createTopics({ topic: 'in', partitions: 4 }, { topic: 'out', partitions: 4 })
    const counts = new Map<string, number>()
    const items = Array.from({ length: RECORDS }, (_, at) => {
      const k = `k${(at * 7) % KEYS}`
      const i = counts.get(k) ?? 0
      counts.set(k, i + 1)
      return { key: k, value: JSON.stringify({ k, i }) }
    })
    const steady = start(1)
    let other = start(2)
    await Promise.all([steady.heard('running'), other.heard('running')])
    let mended = () => {}
    const broken = new Promise<void>((resolve) => {
      mended = resolve
    })
    const feeding = (async () => {
      for (let at = 0; at < items.length; at += 2000) {
        if (at === 10_000) await broken
        await kafka.produce('in', items.slice(at, at + 2000))
      }
    })()
    await other.heard('started')
    await other.kill()
    other = start(2)
    await other.heard('started')
    await kafka.kill()
    await sleep(500)
    await kafka.restart()
    mended()
    await other.kill()
    other = start(2)
    await feeding
    await untilCommitted(kafka, 'out', RECORDS, 90_000)
    await Promise.all([steady.stop(), other.stop()])
    const verdict = await judge(kafka, 'out', counts, (value) => {
      const { k, i, n, double } = JSON.parse(value) as { k: string; i: number; n: number; double: number }
      assert.equal(n, i + 1, 'the state has counted each record once')
      assert.equal(double, 2 * i)
      return { key: k, number: i }
    })
    assert.deepEqual(verdict, { records: RECORDS, lost: 0, doubled: 0, disordered: 0 })
  })

  it('refuses what a worker still does that was cut off, and takes it back', async () => {
    await kafka.createTopics({ topic: 'zombie-in', partitions: 4 }, { topic: 'zombie-out', partitions: 4 })
    const counts = new Map<string, number>()
    const feed = (count: number) => {
      const items = Array.from({ length: count }, (_, at) => {
        const k = `k${at % 20}`
        const i = counts.get(k) ?? 0
        counts.set(k, i + 1)
        return { key: k, value: JSON.stringify({ k, i }) }
      })
      return kafka.produce('zombie-in', items)
    }
    const more = { name: 'zombies', input: 'zombie-in', output: 'zombie-out', pipeline: { name: 'state' as const } }
    const steady = start(3, more)
    await steady.heard('started', 4)
    const cut = start(4, more)
    await cut.heard('started')
    await feed(2000)
    // Stopped in the middle of its work, it knows nothing of the time that passes.
    cut.signal('SIGSTOP')
    const had = steady.said.filter(({ kind }) => kind === 'started').length
    const moved = cut.said.filter(({ kind }) => kind === 'started').length
    await feed(1000)
    await steady.heard('started', had + moved)
    await untilCommitted(kafka, 'zombie-out', 3000, 60_000)
    cut.signal('SIGCONT')
    await cut.heard('started', moved + 1)
    await feed(1000)
    await untilCommitted(kafka, 'zombie-out', 4000, 60_000)
    await Promise.all([steady.stop(), cut.stop()])
    const verdict = await judge(kafka, 'zombie-out', counts, (value) => {
      const { k, i, n } = JSON.parse(value) as { k: string; i: number; n: number }
      assert.equal(n, i + 1)
      return { key: k, number: i }
    })
    assert.deepEqual(verdict, { records: 4000, lost: 0, doubled: 0, disordered: 0 })
  })
})
