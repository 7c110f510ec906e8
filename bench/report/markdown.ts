/** BENCHMARKS.md: the newest results in full, and a line for each date that they were taken at. */
import { findCase } from '../cases'
import type { Result } from '../harness/rounds'
import { headlineSize, leadOf } from './case-chart'
import type { Chart } from './charts'
import { type Facts, factLines } from './facts'
import type { Measured } from './palette'
import { markdownOf, sizeLabel, type Table } from './table'

const HISTORY = '## By date'
const COLUMNS = ['identity', 'json', 'forest'] as const

/** `before` is the file as it is, of which the lines by date are kept. */
export function benchmarksFile(
  facts: Facts,
  results: readonly Result[],
  charts: readonly Chart[],
  tables: readonly Table[],
  before: string,
): string {
  const sections = charts.flatMap(({ name, alt }) => {
    const table = tables.find((one) => one.case === name)
    const figures = table === undefined ? [] : ['', `${table.title}:`, '', markdownOf(table)]
    return ['', `## ${alt}`, '', `![${alt}](docs/benchmarks/${name}.svg)`, ...figures]
  })
  return [
    '# Benchmarks',
    '',
    '`npm run bench -- --record` measures all of this and writes this file and its charts. What is measured and how stands in',
    '[bench/README.md](bench/README.md). Figures depend on the machine: compare within one run only.',
    '',
    ...factLines(facts).map((line) => `- ${line}`),
    ...sections,
    '',
    HISTORY,
    '',
    'How many times the items per second of the best peer of the same run:',
    '',
    `| date | version | machine | ${COLUMNS.join(' | ')} |`,
    `|---|---|---|${'---|'.repeat(COLUMNS.length)}`,
    historyLine(facts, results),
    ...linesBefore(before, facts),
    '',
  ].join('\n')
}

function historyLine({ date, machine }: Facts, results: readonly Result[]): string {
  const measured = results.filter((result): result is Measured => result.summary !== undefined)
  const cells = COLUMNS.map((name) => {
    const own = measured.filter(({ job }) => job.case === name)
    if (own.length === 0) return '–'
    const size = headlineSize(findCase(name), own)
    const lead = leadOf(own, size)
    return lead === undefined ? '–' : `${lead.ratio.toFixed(1)}x ${lead.peer} (${sizeLabel(findCase(name), size)})`
  })
  const where = `${machine.processor}, ${machine.cores} cores`
  return `| ${[date.slice(0, 10), machine.versions['rxjs-python'], where, ...cells].join(' | ')} |`
}

/** The lines of other dates. */
function linesBefore(before: string, { date }: Facts): string[] {
  const [, history = ''] = before.split(HISTORY)
  return history.split('\n').filter((line) => /^\| \d{4}-/.test(line) && !line.startsWith(`| ${date.slice(0, 10)}`))
}
