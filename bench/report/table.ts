import { findCase } from '../cases'
import { findDriver } from '../drivers'
import type { Result } from '../harness/rounds'
import { short } from '../harness/stats'

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
  const { title, unit } = findCase(name)
  const sizes = [...new Set(results.map(({ job }) => job.size))].sort((a, b) => a - b)
  const rows = new Map<string, string[]>()
  for (const result of results) {
    const label = rowLabel(result)
    const cells = rows.get(label) ?? sizes.map(() => '')
    cells[sizes.indexOf(result.job.size)] = cell(result)
    rows.set(label, cells)
  }
  const lines = [['', ...sizes.map((size) => `batch ${size}`)], ...[...rows].map(([label, cells]) => [label, ...cells])]
  return `${title}: ${unit} per second, median (min…max)\n${align(lines)}`
}

function rowLabel({ job }: Result): string {
  const driver = findDriver(job.driver)
  return driver.concurrent ? `${driver.label}, ${job.inFlight} in flight` : driver.label
}

function cell({ summary, failure }: Result): string {
  if (failure !== undefined || summary === undefined) return 'failed'
  const { median, min, max } = summary
  return min === max ? short(median) : `${short(median)} (${short(min)}…${short(max)})`
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
