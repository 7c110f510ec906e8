import { hostname } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { auditTime, map, tap } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/jobs', 'rxjs-python/node' and 'rxjs-python/streams'
import { mapPython, PythonPool } from '../../lib/index'
import { step } from '../../lib/jobs'
import { type AnyJob, defineJob } from '../../lib/node'
import { average, rolling, timestampBy, values } from '../../lib/streams'
import { randomXY } from './points'
import { sharedPi } from './shared'

/** Seeds of the two jobs: they draw different points. */
const SEEDS = { pi1: 1, pi2: 2 }

/**
 * A job that estimates pi with the `handle(points)` of a Python module, in several interpreters whose output is collated
 * into one average, and publishes it to the topic `pi` every 5 seconds. With `--kafka BROKERS` its points come from a topic, and
 * the nodes that it is submitted to share them.
 */
export function piJob(module: keyof typeof SEEDS) {
  return defineJob<number>(async (node): Promise<AnyJob<number>> => {
    const { values: options } = parseArgs({
      args: [...node.args],
      options: {
        every: { type: 'string', default: '5' },
        interpreters: { type: 'string', default: '2' },
        keep: { type: 'string', default: '10000' },
        kafka: { type: 'string' },
        as: { type: 'string', default: hostname() },
      },
    })
    const pool = await PythonPool.open({
      path: [__dirname],
      requirements: join(__dirname, 'requirements.txt'),
      size: Number(options.interpreters),
    })
    node.onClose(() => pool.close())
    const every = Number(options.every) * 1000
    if (options.kafka !== undefined) {
      return sharedPi(node, { brokers: options.kafka, handler: `${module}:handle`, pool, every, by: options.as })
    }
    return {
      pipeline: (job) =>
        randomXY(job, { keep: Number(options.keep), seed: SEEDS[module], log: (line) => console.log(line) }).pipe(
          map(({ x, y }) => `${x},${y}`),
          mapPython<string, string>(`${module}:handle`, { pool, codec: 'string', batch: 1024 }),
          timestampBy(() => 0),
          step('estimate', rolling(average(Number))),
          values(),
          auditTime(every),
          tap((pi) => node.publish('pi', pi)),
        ),
    }
  })
}
