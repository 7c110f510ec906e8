// Counts words and answers for its table meanwhile. README.md, beside this file, says more.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lastValueFrom } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/batch', 'rxjs-python/jobs' and 'rxjs-python/streams'
import { fromFiles } from '../../lib/batch'
import { PythonPool } from '../../lib/index'
import { appendFile, fileLines, runJob } from '../../lib/jobs'
import { count, memoryState, type Rolled } from '../../lib/streams'
import { runDemo } from '../shared/demo'
import { serveTable } from './table'
import { text } from './text'
import { topWords, type WordCount, wordCount } from './words'

export interface WordsResult {
  /** What was answered while the stream ran. */
  readonly asked: readonly WordCount[][]
  readonly top: readonly WordCount[]
  /** The same by a batch over the whole text. */
  readonly batch: readonly WordCount[]
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<WordsResult> {
  const lines = Number(args[0] ?? 20_000)
  if (!Number.isSafeInteger(lines) || lines < 1) throw new Error(`'${args[0]}' is not a number of lines`)
  const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-words-'))
  const file = join(folder, 'text.txt')
  await writeFile(file, [...text(lines)].join('\n'))
  const table = memoryState<string, Rolled>()
  const pool = await PythonPool.open({ path: [__dirname] })
  const service = await serveTable(table)
  const asked: WordCount[][] = []
  try {
    const job = await runJob<WordCount>({
      name: 'words',
      pipeline: (job) => wordCount(job.source('lines', fileLines(file)), table, pool),
      sink: appendFile(join(folder, 'counts.jsonl')),
      checkpoint: { store: join(folder, 'state'), every: 200 },
    })
    print(`the stream runs; GET ${service.url}/top?n=10`)
    let running = true
    const done = job.done.finally(() => {
      running = false
    })
    while (running) {
      asked.push((await (await fetch(`${service.url}/top?n=10`)).json()) as WordCount[])
      const [first] = asked.at(-1)!
      if (first !== undefined && asked.length % 10 === 1) print(`  so far '${first.word}' leads with ${first.count}`)
      await Promise.race([sleep(20), done])
    }
    await done
    const top = (await (await fetch(`${service.url}/top?n=10`)).json()) as WordCount[]
    for (const { word, count } of top) print(`${String(count).padStart(8)}  ${word}`)
    return { asked, top, batch: await byBatch(file, pool) }
  } finally {
    await service.close()
    await pool.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** What there is to compare with: all lines at once, in partitions. */
async function byBatch(file: string, pool: PythonPool): Promise<WordCount[]> {
  const words = fromFiles(file).flatMapPython<string>('words:split', { pool })
  const groups = await lastValueFrom(words.groupBy((word) => word, count()).collect())
  const table = memoryState<string, Rolled>()
  for (const { key, value } of groups) table.set(key, { accumulator: value })
  return topWords(table, 10)
}

if (require.main === module) runDemo(demo)
