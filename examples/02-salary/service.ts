// The model as a REST service: `npm run example -- salary/service`. README.md, beside this file, says more.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
// In a program of your own: from 'rxjs-python' and 'rxjs-python/http'
import { type Service, serve } from '../../lib/connectors/http'
import { PythonPool } from '../../lib/index'
import { runDemo } from '../shared/demo'
import { predictor, prepareData, train } from './model'
import type { Person, Salary } from './records'

export interface ServiceOptions {
  /** 0: one that is free. */
  port: number
  /** Whether requests that come together go to Python together; else each is a batch of one. */
  batched: boolean
  /** Interpreters that hold the model. */
  size: number
  /** How many records the model learns from. */
  records: number
}

/** `POST /predict` with a person, or a list of them. `people` are some to ask about. */
export async function startService({ port, batched, size, records }: ServiceOptions) {
  const { file, census } = await prepareData(undefined, records)
  const pool = await PythonPool.open({ path: [__dirname], requirements: join(__dirname, 'requirements.txt'), size })
  const model = await train(pool, file, records)
  const score = predictor(pool, model)
  const service: Service = await serve<Person, Salary>(score, { port, path: '/predict', batch: batched ? 1024 : 1 })
  const close = async () => {
    await service.close()
    await pool.close()
  }
  return { url: service.url, people: census.people, score, close }
}

async function demo(args: readonly string[], print: (line: string) => void): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { port: { type: 'string', default: '8080' }, 'one-by-one': { type: 'boolean', default: false } },
  })
  const batched = !values['one-by-one']
  const { url, people, close } = await startService({ port: Number(values.port), batched, size: 1, records: 5000 })
  print(`curl ${url} -H 'content-type: application/json' -d '${JSON.stringify(people[0])}'`)
  const stop = () => void close()
  process.once('SIGINT', stop).once('SIGTERM', stop)
}

if (require.main === module) runDemo(demo)
