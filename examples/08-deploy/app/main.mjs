// Kafka → Python → Kafka, exactly once, as a container runs it: settings by variables, health by HTTP, SIGTERM is a request.
import { map } from 'rxjs'
import { mapPython, PythonPool } from 'rxjs-python'
import { runKafkaJob } from 'rxjs-python/kafka'
import { serveHealth } from './health.mjs'

const { KAFKA_BROKERS, STATE_FOLDER = './state', HEALTH_PORT = '8081', INTERPRETERS = '2' } = process.env
if (!KAFKA_BROKERS) throw new Error('KAFKA_BROKERS is not set: the addresses of the brokers, such as kafka:9092')

let state = 'starting'
await serveHealth(Number(HEALTH_PORT), () => state === 'running')

const pool = await PythonPool.open({ path: [import.meta.dirname ?? '.'], size: Number(INTERPRETERS) })
const job = await runKafkaJob({
  name: 'salaries',
  kafka: { brokers: KAFKA_BROKERS },
  source: { topics: 'people', codec: 'string' },
  pipeline: ({ source }) =>
    source.pipe(
      map(({ value }) => value),
      mapPython('handler:handle', { pool, codec: 'string', batch: 1024 }),
      map((value) => ({ value })),
    ),
  sink: { topic: 'salaries', codec: 'string' },
  checkpoint: { store: STATE_FOLDER },
})
state = 'running'
// No further records; what is under way is committed, and the partitions go to the others.
process.once('SIGTERM', () => {
  state = 'stopping'
  job.stop()
})
await job.done
await pool.close()
