import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { readCsv } from '../../batch/dataset/csv'
import { FileFormatError } from '../../batch/dataset/errors'
import { type Compressors, countRowGroups, readRowGroup } from '../../batch/dataset/parquet'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import type { RecordCodec } from '../codec'
import type { DeadLetters } from '../deadLetters'
import { linesOf } from './lines'

/** What a file has in it: lines, records, or nothing but bytes. */
export type FileFormat = 'text' | 'jsonl' | 'csv' | 'parquet' | 'arrow' | 'whole'

export interface FormatOptions {
  /**
   * Default: by the ending: `.txt` and `.log`; `.jsonl` and `.ndjson`; `.csv` and `.tsv`; `.parquet`; `.arrow` and `.feather`. `'whole'`:
   * the file is one item, a Buffer.
   */
  format?: FileFormat
  /** CSV: the names of the columns; default: the first line. Parquet: those to read; default: all. */
  columns?: readonly string[]
  /** CSV: what stands between two fields (default `,`, or a tab in files that end in `.tsv`). */
  delimiter?: string
  /** Parquet: how to unpack what is not packed by Snappy, such as the package hyparquet-compressors. */
  compressors?: Compressors
}

export const FORMAT_OPTIONS = ['format', 'columns', 'delimiter', 'compressors'] as const
export const FORMATS: readonly FileFormat[] = ['text', 'jsonl', 'csv', 'parquet', 'arrow', 'whole']
const ENDINGS: Readonly<Record<string, FileFormat>> = {
  '.txt': 'text',
  '.log': 'text',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.csv': 'csv',
  '.tsv': 'csv',
  '.parquet': 'parquet',
  '.arrow': 'arrow',
  '.feather': 'arrow',
}
/** Bytes of a file of lines that are read at once. */
const BLOCK = 1 << 18
export const FLECHETTE = '^2.0.0'

export function checkFormat(check: StreamChecker, options: FormatOptions, name?: string): FormatOptions {
  const { columns, delimiter, compressors } = options
  const format = check.oneOf('format', options.format, FORMATS)
  if (columns !== undefined && !(Array.isArray(columns) && columns.every((one) => typeof one === 'string'))) {
    check.problem("'columns' must be a list of names", columns)
  }
  if (delimiter !== undefined && (typeof delimiter !== 'string' || delimiter === '')) {
    check.problem("'delimiter' must be a text", delimiter)
  }
  if (compressors !== undefined) check.object('compressors', compressors, Object.keys(compressors))
  if (name !== undefined && format === undefined && formatOf(name) === undefined) {
    check.problem(`the format of ${name} is not known by its ending: give 'format'`)
  }
  return { ...options, format }
}

export function formatOf(name: string): FileFormat | undefined {
  return ENDINGS[extname(name).toLowerCase()]
}

/** An item with the place behind it: a byte of a file of lines, else how many records there have been. */
export type Placed = readonly [value: unknown, at: number]

export interface Reading {
  readonly options: FormatOptions
  /** Of lines: how one becomes a value. Default: a text, or JSON. */
  readonly codec: RecordCodec<unknown> | undefined
  readonly deadLetters: DeadLetters<Buffer>
}

/** What a file has in it from a place on, some items at a time. `name` says what it is, where that is not its path. */
export function readPlaced(path: string, from: number, reading: Reading, name = path): AsyncGenerator<Placed[]> {
  const { options } = reading
  switch (options.format ?? formatOf(name) ?? 'whole') {
    case 'text':
      return linesOf(createReadStream(path, { start: from, highWaterMark: BLOCK }), from, 'text', reading)
    case 'jsonl':
      return linesOf(createReadStream(path, { start: from, highWaterMark: BLOCK }), from, 'jsonl', reading)
    case 'csv': {
      const delimiter = options.delimiter ?? (extname(name).toLowerCase() === '.tsv' ? '\t' : ',')
      return counted(readCsv(path, delimiter, options.columns), 0, from)
    }
    case 'parquet':
      return parquetOf(path, from, options)
    case 'arrow':
      return arrowOf(path, from)
    case 'whole':
      return wholeOf(path, from, reading)
  }
}

/**
 * Items with their positions, one behind what is read: the last one's position, `done`, says that the file has been read to
 * its end.
 */
export async function* positioned<T, P>(
  blocks: AsyncIterable<readonly Placed[]>,
  place: (at: number) => P,
  done: P,
  over: AbortSignal,
): AsyncGenerator<(readonly [T, P])[]> {
  let held: Placed | undefined
  for await (const block of blocks) {
    if (over.aborted) return
    const list: (readonly [T, P])[] = []
    for (const placed of block) {
      if (held !== undefined) list.push([held[0] as T, place(held[1])])
      held = placed
    }
    yield list
  }
  if (held !== undefined && !over.aborted) yield [[held[0] as T, done]]
}

async function* counted(items: AsyncIterable<unknown>, first: number, from: number): AsyncGenerator<Placed[]> {
  let at = first
  for await (const item of items) if (++at > from) yield [[item, at]]
}

async function* parquetOf(path: string, from: number, options: FormatOptions): AsyncGenerator<Placed[]> {
  const groups = await countRowGroups(path)
  let at = 0
  for (let group = 0; group < groups; group++) {
    for await (const row of readRowGroup(path, group, options.columns, options.compressors)) {
      if (++at > from) yield [[row, at]]
    }
  }
}

/** The rows of an Arrow IPC file or stream, which is read as a whole. */
async function* arrowOf(path: string, from: number): AsyncGenerator<Placed[]> {
  const { tableFromIPC } = await loadClient<typeof import('@uwdata/flechette')>('@uwdata/flechette', FLECHETTE)
  const bytes = await readFile(path)
  let rows: ReturnType<typeof tableFromIPC>
  try {
    rows = tableFromIPC(new Uint8Array(bytes))
  } catch (error) {
    throw new FileFormatError(path, `not Arrow: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  for (let at = from; at < rows.numRows; at++) yield [[rows.at(at), at + 1]]
}

async function* wholeOf(path: string, from: number, { codec, deadLetters }: Reading): AsyncGenerator<Placed[]> {
  if (from > 0) return
  const bytes = await readFile(path)
  if (codec === undefined) {
    yield [[bytes, 1]]
    return
  }
  let value: unknown
  try {
    value = codec.decode(bytes)
  } catch (error) {
    deadLetters.add(error, bytes, 0 as never)
    return
  }
  yield [[value, 1]]
}
