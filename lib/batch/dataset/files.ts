import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { StreamChecker } from '../../streams/check'
import { readCsv } from './csv'
import { Dataset } from './dataset'
import { parseLines, readLines } from './lines'
import { type Compressors, countRowGroups, readRowGroup } from './parquet'
import { SourcePlan } from './plan'

export type FileFormat = 'text' | 'jsonl' | 'csv' | 'parquet'

export interface FileOptions {
  /** Default: by the ending: `.txt` and `.log`; `.jsonl` and `.ndjson`; `.csv` and `.tsv`; `.parquet`. */
  format?: FileFormat
  /** Text and JSON lines: how many bytes a partition has at most, but for whole lines (default 32 MiB). */
  partitionBytes?: number
  /** CSV: the names of the columns; default: the first line of each file. Parquet: those to read; default: all. */
  columns?: readonly string[]
  /** CSV: what stands between two fields (default `,`, or a tab in files that end in `.tsv`). */
  delimiter?: string
  /** Parquet: how to unpack what is not packed by Snappy (which is built in), such as the package hyparquet-compressors. */
  compressors?: Compressors
}

interface Part<T> {
  read(): AsyncIterable<T>
}

const FORMATS: readonly FileFormat[] = ['text', 'jsonl', 'csv', 'parquet']
const ENDINGS: Record<string, FileFormat> = {
  '.txt': 'text',
  '.log': 'text',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.parquet': 'parquet',
}

/**
 * A dataset of what files have in them: lines of text, the values of JSON lines, the records of CSV and Parquet files. A
 * folder stands for the files in it whose ending is known (with `format`: for all of them), by name.
 *
 * Text and JSON lines are divided by size, Parquet by row groups; a CSV file is one partition, since only reading it from its
 * start tells where records begin. Which partitions there are is found out by the first run.
 */
export function fromFiles<T = string>(paths: string | readonly string[], options?: FileOptions): Dataset<T> {
  const check = new StreamChecker('fromFiles', options, [
    'format',
    'partitionBytes',
    'columns',
    'delimiter',
    'compressors',
  ])
  const list = typeof paths === 'string' ? [paths] : Array.isArray(paths) ? [...paths] : []
  if (list.length === 0 || !list.every((path) => typeof path === 'string' && path !== '')) {
    check.problem("'paths' must be a path or a list of paths", paths)
  }
  const format = check.oneOf('format', options?.format, FORMATS)
  const partitionBytes = check.whole('partitionBytes', options?.partitionBytes, 1, Number.MAX_SAFE_INTEGER) ?? 32 << 20
  const { columns, delimiter, compressors } = options ?? {}
  if (columns !== undefined && !(Array.isArray(columns) && columns.every((name) => typeof name === 'string'))) {
    check.problem("'columns' must be a list of names", columns)
  }
  if (delimiter !== undefined && (typeof delimiter !== 'string' || delimiter === '')) {
    check.problem("'delimiter' must be a text", delimiter)
  }
  if (compressors !== undefined && (typeof compressors !== 'object' || compressors === null)) {
    check.problem("'compressors' must be an object of functions", compressors)
  }
  for (const path of format === undefined && list.every((one) => typeof one === 'string') ? list : []) {
    const ending = extname(path)
    if (ending !== '' && ENDINGS[ending.toLowerCase()] === undefined) {
      check.problem(`the format of ${path} is not known by its ending: give 'format'`)
    }
  }
  check.done()

  const partsOf = async (path: string): Promise<Part<unknown>[]> => {
    const kind = format ?? ENDINGS[extname(path).toLowerCase()]
    if (kind === 'parquet') {
      const groups = await countRowGroups(path)
      return Array.from({ length: groups }, (_, group) => ({
        read: () => readRowGroup(path, group, columns, compressors),
      }))
    }
    if (kind === 'csv') {
      const between = delimiter ?? (extname(path).toLowerCase() === '.tsv' ? '\t' : ',')
      return [{ read: () => readCsv(path, between, columns) }]
    }
    const { size } = await stat(path)
    const count = Math.max(1, Math.ceil(size / partitionBytes))
    return Array.from({ length: count }, (_, i) => {
      const lines = () => readLines(path, i * partitionBytes, Math.min(size, (i + 1) * partitionBytes))
      return { read: () => (kind === 'jsonl' ? parseLines(path, lines()) : textOf(lines())) }
    })
  }
  let parts: Promise<Part<unknown>[]> | undefined
  const find = async () => {
    const files = await expand(list, format)
    return (await Promise.all(files.map(partsOf))).flat()
  }
  const known = () => {
    parts ??= find().catch((error) => {
      parts = undefined
      throw error
    })
    return parts
  }
  async function* read(partition: number): AsyncGenerator<T> {
    yield* (await known())[partition]!.read() as AsyncIterable<T>
  }
  const step = `fromFiles(${list.length === 1 ? list[0] : `${list[0]}, …`})`
  return new Dataset(new SourcePlan(step, async () => (await known()).length, read))
}

/** Folders as the files in them. */
async function expand(paths: readonly string[], format: FileFormat | undefined): Promise<string[]> {
  const all: string[] = []
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) {
      all.push(path)
      continue
    }
    const inside = await readdir(path, { withFileTypes: true })
    const files = inside.filter((one) => one.isFile() && !one.name.startsWith('.')).map((one) => one.name)
    const known = files.filter((name) => format !== undefined || ENDINGS[extname(name).toLowerCase()] !== undefined)
    for (const name of known.sort()) all.push(join(path, name))
  }
  return all
}

async function* textOf(lines: AsyncIterable<{ text: string }>): AsyncGenerator<string> {
  for await (const { text } of lines) yield text
}
