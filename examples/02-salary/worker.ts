// Kafka → Python → Kafka: a worker. Start as many as you like; they share the partitions. `worker.ts BROKERS MODEL`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { map } from 'rxjs'
// In a program of your own: from 'rxjs-python' and 'rxjs-python/kafka'
import { runKafkaJob } from '../../lib/connectors/kafka'
import { mapPython, PythonPool } from '../../lib/index'
import { loading } from './model'
import type { Person, Salary } from './records'

/** What a worker reads: a person with a number, which the answer bears, too. */
export interface Numbered extends Person {
  readonly id: number
}

/** What it writes. */
export interface Answer extends Salary {
  readonly id: number
  readonly partition: number
  readonly worker: number
}

/** The model knows nothing of numbers. */
const NUMBERED = `
import salary

def handle(people):
    return [{**answer, "id": one["id"]} for one, answer in zip(people, salary.handle(people))]
`

async function work(brokers: string, model: string): Promise<void> {
  const store = await mkdtemp(join(tmpdir(), 'rxjs-python-salary-'))
  const requirements = join(__dirname, 'requirements.txt')
  await using pool = await PythonPool.open({ path: [__dirname], requirements })
  const score = pool.handler<Numbered, Salary & { id: number }>({ source: NUMBERED }, { init: loading({ model }) })
  const job = await runKafkaJob<Numbered, Answer>({
    name: 'salaries',
    kafka: { brokers },
    source: { topics: 'people', codec: 'json' },
    pipeline: ({ source, partition }) =>
      source.pipe(
        map(({ value }) => value!),
        mapPython(score, { batch: 256 }),
        map((salary) => ({ value: { ...salary, partition, worker: process.pid } })),
      ),
    sink: { topic: 'salaries', codec: 'json' },
    checkpoint: { store, every: 200 },
    onEvent: (event) => console.log(`partition ${event.partition} ${event.kind}`),
  })
  // What is under way is committed, and the partitions go to the others.
  process.once('SIGTERM', () => void job.stop())
  await job.done
  await rm(store, { recursive: true, force: true })
}

if (require.main === module) {
  const [brokers, model] = process.argv.slice(2)
  work(brokers!, model!).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
}
