// Kafka → Python → Kafka, and a worker more while it runs: `npm run example -- salary/kafka`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
// In a program of your own: from 'rxjs-python'
import { PythonPool } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { valuesOf, withBroker } from '../shared/kafka'
import { predictor, prepareData, train } from './model'
import type { Person, Salary } from './records'
import type { Answer } from './worker'

export interface KafkaResult {
  readonly answers: readonly Answer[]
  /** What the model says without Kafka. */
  readonly expected: readonly Salary[]
  readonly workers: readonly (number | undefined)[]
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<KafkaResult> {
  const count = Number(args[0] ?? 4000)
  const { model, people, expected } = await prepared(count)
  return await withBroker(['people', 'salaries'], async (kafka) => {
    print(`a broker at ${kafka.brokers}, topics people and salaries of four partitions each`)
    const workers: Worker[] = []
    try {
      workers.push(await Worker.start(kafka.brokers, model, print))
      const records = people.map((person, id) => ({ key: String(id), value: JSON.stringify({ ...person, id }) }))
      await kafka.produce('people', records.slice(0, count / 2))
      await valuesOf(kafka, 'salaries', count / 2)
      print(`${count / 2} answers by one worker; a second one comes`)
      workers.push(await Worker.start(kafka.brokers, model, print))
      await kafka.produce('people', records.slice(count / 2))
      const values = await valuesOf(kafka, 'salaries', count)
      const answers = values.map((value) => JSON.parse(value) as Answer)
      for (const { pid } of workers) {
        print(`worker ${pid}: ${answers.filter(({ worker }) => worker === pid).length} answers`)
      }
      return { answers, expected, workers: workers.map(({ pid }) => pid) }
    } finally {
      await Promise.all(workers.map((worker) => worker.stop()))
    }
  })
}

/** A trained model, people, and what it says of them. */
async function prepared(count: number) {
  const { file, census } = await prepareData(undefined, 5000)
  const requirements = join(__dirname, 'requirements.txt')
  await using pool = await PythonPool.open({ path: [__dirname], requirements })
  const model = await train(pool, file, 5000)
  const people: Person[] = census.people.slice(0, count)
  const expected = await predictor(pool, model).call(people)
  return { model: model.model, people, expected }
}

/** A process of worker.ts. */
class Worker {
  private constructor(private readonly process: ChildProcess) {}

  get pid(): number | undefined {
    return this.process.pid
  }

  /** Resolves when it has partitions. */
  static async start(brokers: string, model: string, print: (line: string) => void): Promise<Worker> {
    const program = ['--import=tsx', join(__dirname, 'worker.ts'), brokers, model]
    const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((ready, failed) => {
      child.once('exit', (code) => failed(new Error(`a worker ended with ${code}`)))
      createInterface(child.stdout).on('line', (line) => {
        print(`worker ${child.pid}: ${line}`)
        if (line.endsWith(' started')) ready()
      })
    })
    return new Worker(child)
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const gone = once(this.process, 'exit')
    this.process.kill('SIGTERM')
    await gone
  }
}

if (require.main === module) runDemo(demo)
