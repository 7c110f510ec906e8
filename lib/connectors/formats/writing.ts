import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { FLECHETTE } from './reading'

/** How results become a file's bytes: a format, or a function that gives those of a whole file. */
export type WriteFormat<T> =
  | 'text'
  | 'jsonl'
  | 'csv'
  | 'parquet'
  | 'arrow'
  | ((items: readonly T[]) => string | Uint8Array | Promise<string | Uint8Array>)

export const WRITE_FORMATS = ['text', 'jsonl', 'csv', 'parquet', 'arrow'] as const
const WRITER = '^0.17.0'

/** Checked, with the ending of such files. */
export interface Writing<T> {
  encode(items: readonly T[]): Promise<string | Uint8Array>
  readonly ending: string
}

export function checkWriting<T>(
  check: StreamChecker,
  format: WriteFormat<T> | undefined,
  columns: readonly string[] | undefined,
): Writing<T> {
  if (columns !== undefined && !(Array.isArray(columns) && columns.every((one) => typeof one === 'string'))) {
    check.problem("'columns' must be a list of names", columns)
  }
  if (typeof format === 'function') return { encode: async (items) => format(items), ending: '' }
  const name = check.oneOf('format', format, WRITE_FORMATS) ?? 'jsonl'
  return { encode: (items) => ENCODERS[name](items, columns), ending: `.${name === 'text' ? 'txt' : name}` }
}

type Encoder = (items: readonly unknown[], columns: readonly string[] | undefined) => Promise<string | Uint8Array>

const ENCODERS: Record<(typeof WRITE_FORMATS)[number], Encoder> = {
  text: async (items) => items.map((item) => `${item}\n`).join(''),
  jsonl: async (items) => items.map((item) => `${JSON.stringify(item)}\n`).join(''),
  csv: async (items, columns) => {
    const names = columns ?? namesOf(items)
    return [csvLine(names), ...items.map((item) => csvRow(item, names))].join('')
  },
  async parquet(items, columns) {
    const { parquetWriteBuffer } = await loadClient<typeof import('hyparquet-writer')>('hyparquet-writer', WRITER)
    const columnData = (columns ?? namesOf(items)).map((name) => ({ name, data: columnOf(items, name) }))
    return new Uint8Array(parquetWriteBuffer({ columnData }))
  },
  async arrow(items, columns) {
    const { tableFromArrays, tableToIPC } = await loadClient<typeof import('@uwdata/flechette')>(
      '@uwdata/flechette',
      FLECHETTE,
    )
    const names = columns ?? namesOf(items)
    const table = tableFromArrays(names.map((name) => [name, columnOf(items, name)] as [string, unknown[]]))
    return tableToIPC(table, { format: 'file' }) as Uint8Array
  },
}

/** The names of all fields, in the order in which they come. */
function namesOf(items: readonly unknown[]): string[] {
  const names = new Set<string>()
  for (const item of items) for (const name of Object.keys(item as object)) names.add(name)
  return [...names]
}

function columnOf(items: readonly unknown[], name: string): unknown[] {
  return items.map((item) => (item as Record<string, unknown>)[name] ?? null)
}

export function csvRow(item: unknown, names: readonly string[]): string {
  return csvLine(names.map((name) => (item as Record<string, unknown>)[name]))
}

/** As RFC 4180 has it, with the line end of this system's tools. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvField).join(',')}\n`
}

function csvField(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text =
    value instanceof Date ? value.toISOString() : typeof value === 'object' ? JSON.stringify(value) : `${value}`
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
