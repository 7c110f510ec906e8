import { findCase } from '../cases'
import { findDriver } from '../drivers'
import type { Result } from '../harness/rounds'
import { short } from '../harness/stats'
import type { Case } from '../harness/types'

export interface Row {
  readonly ours: boolean
  readonly cells: readonly string[]
}

export interface Table {
  readonly case: string
  readonly title: string
  readonly header: readonly string[]
  readonly rows: readonly Row[]
}

/** One table per case: a row for each driver and number of calls in flight, a column for each size. */
export function tablesOf(results: readonly Result[]): Table[] {
  const names = [...new Set(results.map(({ job }) => job.case))]
  return names.map((name) =>
    tableOf(
      name,
      results.filter(({ job }) => job.case === name),
    ),
  )
}

function tableOf(name: string, results: readonly Result[]): Table {
  const used = findCase(name)
  const sizes = [...new Set(results.map(({ job }) => job.size))].sort((a, b) => a - b)
  const rows = new Map<string, { ours: boolean; cells: string[] }>()
  for (const result of results) {
    const label = rowLabel(result)
    const row = rows.get(label) ?? {
      ours: findDriver(result.job.driver).role === 'ours',
      cells: [label, ...sizes.map(() => '')],
    }
    row.cells[1 + sizes.indexOf(result.job.size)] = cell(result)
    rows.set(label, row)
  }
  const header = ['', ...sizes.map((size) => sizeLabel(used, size))]
  return { case: name, title: `${used.title}: ${measureOf(used)}`, header, rows: [...rows.values()] }
}

/** The tables as text for a terminal. */
export function textOf(tables: readonly Table[]): string {
  return tables
    .map(({ title, header, rows }) => `${title}\n${align([header, ...rows.map(({ cells }) => cells)])}`)
    .join('\n\n')
}

/** The table in Markdown. */
export function markdownOf({ header, rows }: Table): string {
  const line = (texts: readonly string[]) => `| ${texts.join(' | ')} |`
  const body = rows.map(({ ours, cells }) => line(ours ? cells.map((text) => (text ? `**${text}**` : '')) : cells))
  return [line(header), `|---|${'---:|'.repeat(header.length - 1)}`, ...body].join('\n')
}

/** What a figure of the case is. */
function measureOf(used: Case): string {
  if (used.measures === 'latency') return 'what a call takes above the handler’s own time, p50 / p99'
  return `${used.unit} per second, median (min…max)`
}

/** `batch 1024`, `64 MiB`, `10 per second`. */
export function sizeLabel(used: Case, size: number): string {
  if (used.measures === 'latency') return `${size} per second`
  if (used.payload !== 'array') return `batch ${size}`
  return size < 2 ** 20 ? `${size / 2 ** 10} KiB` : `${size / 2 ** 20} MiB`
}

function rowLabel({ job }: Result): string {
  const driver = findDriver(job.driver)
  return driver.concurrent ? `${driver.label}, ${job.inFlight} in flight` : driver.label
}

function cell({ summary, failure, latency }: Result): string {
  if (failure !== undefined || summary === undefined) return 'failed'
  if (latency !== undefined) return `${milliseconds(latency.p50)} / ${milliseconds(latency.p99)}`
  const { median, min, max } = summary
  return min === max ? short(median) : `${short(median)} (${short(min)}…${short(max)})`
}

export function milliseconds(microseconds: number): string {
  return `${short(microseconds / 1000)} ms`
}

function align(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!))),
    )
    .map((line) => line.join('  ').trimEnd())
    .join('\n')
}
