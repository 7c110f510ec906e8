import type { Observable } from 'rxjs'
// In a program of your own: from 'rxjs-python', 'rxjs-python/jobs' and 'rxjs-python/streams'
import { flatMapPython, type PythonPool } from '../../lib/index'
import { step } from '../../lib/jobs'
import { count, keyBy, mapItems, type Rolled, rolling, type StateStore, timestampBy, values } from '../../lib/streams'

export interface WordCount {
  readonly word: string
  readonly count: number
}

/** The table of a word count: it is what the stream keeps, and can be asked while the stream runs. */
export type WordTable = StateStore<string, Rolled>

/** What questions need of a table. */
export type AskedTable = Pick<WordTable, 'get' | 'entries'>

/** The words of lines, by Python. */
export function split(lines: Observable<string>, pool: PythonPool): Observable<string> {
  return lines.pipe(flatMapPython<string, string>('words:split', { pool, batch: 1024 }))
}

/** For each word how often it has come so far; what `table` keeps is part of a job's checkpoints. */
export function countWords(words: Observable<string>, table: WordTable): Observable<WordCount> {
  return words.pipe(
    timestampBy(() => 0),
    keyBy((word) => word),
    step('counts', rolling<string, number, string>(count(), { store: () => table })),
    mapItems((count: number, word: string): WordCount => ({ word, count })),
    values(),
  )
}

export function wordCount(lines: Observable<string>, table: WordTable, pool: PythonPool): Observable<WordCount> {
  return countWords(split(lines, pool), table)
}

/** The most frequent words at this moment; of equally frequent ones the first by the alphabet. */
export function topWords(table: AskedTable, most: number): WordCount[] {
  const all = Array.from(table.entries(), ([word, { accumulator }]) => ({ word, count: accumulator as number }))
  return all.sort((a, b) => b.count - a.count || (a.word < b.word ? -1 : 1)).slice(0, most)
}
