// One member of a Kafka job, in a process of its own; whoever starts it kills it at some moment.
// Plain JavaScript, so that it runs on the built package, too. Says what happens in lines of JSON; ends where its input ends.
import { createRequire } from 'node:module'
import { lastValueFrom, map, take, tap } from 'rxjs'

const { main, name, brokers, input, output, store, every, python, handlers, pipeline, session, instance, readAhead } =
  JSON.parse(process.argv[2])
const { index, kafka, streams } = createRequire(import.meta.url)(main)
const { mapPython, PythonPool } = index
const { keyBy, mapKeyed, timestampBy, values } = streams
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

const pool = python === undefined ? undefined : await PythonPool.open({ python, path: handlers, ...pipeline.pool })
let done = 0

/** Counts the items of each key. */
const counted = (item, state) => {
  const n = (state.get() ?? 0) + 1
  state.set(n)
  return { ...item, n }
}

/** Texts through the model. */
const scored = () =>
  mapPython(pipeline.handler, {
    ...{ pool, codec: 'string', init: pipeline.init, concurrency: 2 },
    batch: { maxItems: 4096, maxWait: 50 },
  })

const pipelines = {
  /** Keyed state, and Python behind it. */
  count: ({ source }) =>
    source.pipe(
      map(({ value }) => value),
      timestampBy((item) => item.i),
      keyBy((item) => item.k),
      mapKeyed(counted),
      values(),
      mapPython('doubling:handle', { pool, batch: 256 }),
      map((value) => ({ key: value.k, value })),
    ),
  /** Keyed state alone. */
  state: ({ source }) =>
    source.pipe(
      map(({ value }) => value),
      timestampBy((item) => item.i),
      keyBy((item) => item.k),
      mapKeyed(counted),
      values(),
      map((value) => ({ key: value.k, value })),
    ),
  /** A model: texts in, texts out, to the partition with the number of the one that they come from. */
  model: ({ source, partition }) =>
    source.pipe(
      map(({ value }) => value),
      scored(),
      map((value) => ({ value, partition })),
    ),
}

/** The client by itself: what it reads it writes, without a job, without transactions. */
async function copy() {
  const { KafkaConsumer, Producer } = createRequire(import.meta.url)('@confluentinc/kafka-javascript')
  const cluster = { 'bootstrap.servers': brokers }
  const consumer = new KafkaConsumer(
    { ...cluster, 'group.id': name, 'enable.auto.commit': false },
    { 'auto.offset.reset': 'earliest' },
  )
  const producer = new Producer(
    { ...cluster, 'enable.idempotence': true, 'compression.codec': 'lz4', 'linger.ms': 5 },
    {},
  )
  const opened = (client) =>
    new Promise((resolve, reject) => client.connect({}, (error) => (error ? reject(error) : resolve())))
  await Promise.all([opened(consumer), opened(producer)])
  producer.setPollInBackground(true)
  consumer.setDefaultConsumeTimeout(100)
  consumer.subscribe([input])
  for (;;) {
    const messages = await new Promise((resolve, reject) =>
      consumer.consume(2000, (error, some) => (error ? reject(error) : resolve(some))),
    )
    for (const { partition, value, key } of messages) {
      for (;;) {
        try {
          producer.produce(output, partition, value, key)
          break
        } catch (error) {
          if (error.code !== -184) throw error
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      }
      done++
    }
  }
}

/** The model by itself: the records from memory, through the same operator. */
async function alone() {
  const texts = []
  const loading = await kafka.runKafkaJob({
    name: `${name}-loading`,
    kafka: { brokers, client: 'confluent' },
    source: { topics: input, codec: 'string' },
    pipeline: ({ source }) => source.pipe(map(({ value }) => texts.push(value) && { value: '' })),
    sink: { topic: output, codec: 'string' },
    checkpoint: { store, every: 1000 },
  })
  while (texts.length < pipeline.records) await new Promise((resolve) => setTimeout(resolve, 100))
  await loading.stop()
  await lastValueFrom(
    index.fromIterable(texts).pipe(
      take(pipeline.records),
      scored(),
      tap(() => done++),
    ),
  )
}

const timer = setInterval(() => say({ kind: 'status', done, rss: process.memoryUsage.rss(), info: job?.info() }), 100)
let job
if (pipeline.name === 'copy') await copy()
if (pipeline.name === 'alone') {
  await alone()
  await new Promise(() => {})
}

const codec = pipeline.name === 'model' ? 'string' : 'json'
job = await kafka.runKafkaJob({
  name,
  kafka: { brokers, client: 'confluent' },
  source: { topics: input, codec, sessionTimeout: session ?? 3000, instance, readAhead },
  pipeline: (partition) => {
    const results = pipelines[pipeline.name](partition)
    return results.pipe(
      map((record) => {
        done++
        return record
      }),
    )
  },
  sink: { topic: output, codec },
  checkpoint: { store, every: every ?? 100 },
  onEvent: (event) =>
    say({ ...event, error: event.error === undefined ? undefined : String(event.error), at: Date.now() }),
})
say({ kind: 'running', at: Date.now() })
job.done.catch((error) => {
  say({ kind: 'failed', error: String(error?.stack ?? error) })
  process.exit(1)
})
process.stdin.resume()
process.stdin.once('end', async () => {
  await job.stop()
  await pool?.close()
  clearInterval(timer)
  say({ kind: 'stopped' })
})
