// Kafka → word count → a table that is asked meanwhile, and → Kafka: `npm run example -- words/kafka`.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { finalize, map } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/kafka' and 'rxjs-python/streams'
import { type KafkaJob, type KafkaOptions, type KafkaRecord, runKafkaJob } from '../../lib/connectors/kafka'
import { PythonPool } from '../../lib/index'
import { memoryState, type Rolled } from '../../lib/streams'
import type { EmbeddedKafka } from '../../lib/testing'
import { runDemo } from '../shared/demo'
import { withBroker } from '../shared/kafka'
import { serveTable } from './table'
import { text } from './text'
import { type AskedTable, countWords, split, topWords, type WordCount, type WordTable } from './words'

/** Lines come in; each word goes to the partition where it is counted; each new count goes out. */
const [LINES, WORDS, COUNTS] = ['lines', 'words', 'counts'] as const
const PARTITIONS = 4

export interface KafkaWordsResult {
  /** What was answered while the stream ran. */
  readonly asked: readonly WordCount[][]
  /** What was answered at the end. */
  readonly top: readonly WordCount[]
  /** The same from the topic of counts. */
  readonly written: readonly WordCount[]
  /** The same counted at once, without streams. */
  readonly batch: readonly WordCount[]
  /** How many words there are in the table, in the topic and in the text. */
  readonly words: { readonly table: number; readonly topic: number; readonly text: number }
}

/** The tables of all partitions as one: a word is in the table of its own partition. */
class Tables implements AskedTable {
  private readonly tables = new Map<number, WordTable>()

  add(partition: number): WordTable {
    const table = memoryState<string, Rolled>()
    this.tables.set(partition, table)
    return table
  }

  remove(partition: number, table: WordTable): void {
    if (this.tables.get(partition) === table) this.tables.delete(partition)
  }

  get(word: string): Rolled | undefined {
    for (const table of this.tables.values()) {
      const found = table.get(word)
      if (found !== undefined) return found
    }
    return undefined
  }

  *entries(): Generator<readonly [string, Rolled]> {
    for (const table of this.tables.values()) yield* table.entries()
  }
}

/** Starts the job; resolves when this process has all partitions. */
async function startJob(kafka: KafkaOptions, store: string, tables: Tables, pool: PythonPool): Promise<KafkaJob> {
  let waiting = 2 * PARTITIONS
  let all = () => {}
  const started = new Promise<void>((resolve) => {
    all = resolve
  })
  const job = await runKafkaJob<string, string>({
    name: 'words',
    kafka,
    source: { topics: [LINES, WORDS], codec: 'string' },
    pipeline: ({ topic, partition, source }) => {
      const texts = source.pipe(map(({ value }) => value!))
      if (topic === LINES) {
        return split(texts, pool).pipe(map((word): KafkaRecord<string> => ({ to: WORDS, key: word, value: word })))
      }
      const table = tables.add(partition)
      return countWords(texts, table).pipe(
        map(({ word, count }): KafkaRecord<string> => ({ key: word, value: `${count}` })),
        finalize(() => tables.remove(partition, table)),
      )
    },
    sink: { topic: COUNTS, codec: 'string' },
    checkpoint: { store, every: 300 },
    onEvent: ({ kind }) => {
      if (kind === 'started' && --waiting === 0) all()
    },
  })
  await Promise.race([started, job.done])
  return job
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<KafkaWordsResult> {
  const count = Number(args[0] ?? 10_000)
  if (!Number.isSafeInteger(count) || count < 2) throw new Error(`'${args[0]}' is not a number of lines`)
  const lines = [...text(count)]
  const batch = wordsOf(lines)
  const store = await mkdtemp(join(tmpdir(), 'rxjs-python-words-kafka-'))
  const topics = [LINES, WORDS, { topic: COUNTS, partitions: PARTITIONS, config: { 'cleanup.policy': 'compact' } }]
  try {
    return await withBroker(topics, async (kafka) => {
      await using pool = await PythonPool.open({ path: [__dirname] })
      const tables = new Tables()
      const service = await serveTable(tables)
      const asked: WordCount[][] = []
      const ask = async () => (await (await fetch(`${service.url}/top?n=10`)).json()) as WordCount[]
      /** Asks now and then until so many words are counted. */
      const askUntil = async (words: number, job: KafkaJob) => {
        for (; total(tables) < words; await Promise.race([sleep(100), job.done])) {
          asked.push(await ask())
          const [first] = asked.at(-1)!
          if (first !== undefined && asked.length % 5 === 1) print(`  so far '${first.word}' leads with ${first.count}`)
        }
      }
      let job: KafkaJob | undefined
      try {
        job = await startJob(kafka.connection, store, tables, pool)
        print(`the stream runs on ${kafka.brokers}; GET ${service.url}/top?n=10`)
        const half = lines.slice(0, count / 2)
        await produce(kafka, half)
        await askUntil(wordsOf(half).total / 2, job)
        await job.stop()
        print('stopped in the middle, and started again: the table comes back from Kafka')
        job = await startJob(kafka.connection, store, tables, pool)
        await produce(kafka, lines.slice(half.length))
        await askUntil(batch.total, job)
        const top = await ask()
        for (const { word, count } of top) print(`${String(count).padStart(8)}  ${word}`)
        const inTable = total(tables)
        await job.stop()
        const written = await writtenTo(kafka)
        const words = { table: inTable, topic: written.total, text: batch.total }
        print(`words counted: ${words.table} in the table, ${words.topic} in the topic, ${words.text} in the text`)
        return { asked, top, written: topWords(written.table, 10), batch: topWords(batch.table, 10), words }
      } finally {
        await service.close()
        await job?.stop()
      }
    })
  } finally {
    await rm(store, { recursive: true, force: true })
  }
}

function produce(kafka: EmbeddedKafka, lines: readonly string[]): Promise<void> {
  return kafka.produce(
    LINES,
    lines.map((value) => ({ value })),
  )
}

function total(table: AskedTable): number {
  let sum = 0
  for (const [, { accumulator }] of table.entries()) sum += accumulator as number
  return sum
}

/** A table and its sum, from counts in which later ones take the place of earlier ones. */
function tableOf(counts: Iterable<readonly [string, number]>) {
  const table = memoryState<string, Rolled>()
  for (const [word, accumulator] of counts) table.set(word, { accumulator })
  return { table, total: total(table) }
}

/** What there is to compare with: a loop over the text. */
function wordsOf(lines: readonly string[]) {
  const counts = new Map<string, number>()
  for (const line of lines) {
    for (const word of line.toLowerCase().match(/[a-z]+/g) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return tableOf(counts)
}

/** What is in the topic of counts: the last one of each word. */
async function writtenTo(kafka: EmbeddedKafka) {
  const records = await kafka.read(COUNTS)
  return tableOf(records.map(({ key, value }) => [String(key), Number(String(value))] as const))
}

if (require.main === module) runDemo(demo)
