import { findCase } from '../cases'
import { findDriver } from '../drivers'
import type { Result } from '../harness/rounds'
import { short } from '../harness/stats'
import type { Case } from '../harness/types'

/** One table per case: a row for each driver and number of calls in flight, a column for each batch size. */
export function tables(results: readonly Result[]): string {
  const names = [...new Set(results.map(({ job }) => job.case))]
  return names
    .map((name) =>
      table(
        name,
        results.filter(({ job }) => job.case === name),
      ),
    )
    .join('\n\n')
}

function table(name: string, results: readonly Result[]): string {
  const used = findCase(name)
  const sizes = [...new Set(results.map(({ job }) => job.size))].sort((a, b) => a - b)
  const rows = new Map<string, string[]>()
  for (const result of results) {
    const label = rowLabel(result)
    const cells = rows.get(label) ?? sizes.map(() => '')
    cells[sizes.indexOf(result.job.size)] = cell(result)
    rows.set(label, cells)
  }
  const lines = [
    ['', ...sizes.map((size) => sizeLabel(used, size))],
    ...[...rows].map(([label, cells]) => [label, ...cells]),
  ]
  return `${used.title}: ${measureOf(used)}\n${align(lines)}`
}

/** What a figure of the case is. */
export function measureOf(used: Case): string {
  if (used.measures === 'latency') return 'what a call takes above the handler’s own time, p50 / p99'
  return `${used.unit} per second, median (min…max)`
}

/** `batch 1024`, `64 MiB`, `10 per second`. */
export function sizeLabel(used: Case, size: number): string {
  if (used.measures === 'latency') return `${size} per second`
  if (used.payload !== 'array') return `batch ${size}`
  return size < 2 ** 20 ? `${size / 2 ** 10} KiB` : `${size / 2 ** 20} MiB`
}

export function rowLabel({ job }: Result): string {
  const driver = findDriver(job.driver)
  return driver.concurrent ? `${driver.label}, ${job.inFlight} in flight` : driver.label
}

export function cell({ summary, failure, latency }: Result): string {
  if (failure !== undefined || summary === undefined) return 'failed'
  if (latency !== undefined) return `${milliseconds(latency.p50)} / ${milliseconds(latency.p99)}`
  const { median, min, max } = summary
  return min === max ? short(median) : `${short(median)} (${short(min)}…${short(max)})`
}

export function milliseconds(microseconds: number): string {
  return `${short(microseconds / 1000)} ms`
}

function align(lines: readonly string[][]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  return lines
    .map((line) =>
      line.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!))),
    )
    .map((line) => line.join('  ').trimEnd())
    .join('\n')
}
