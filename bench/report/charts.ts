import { findCase } from '../cases'
import type { Result } from '../harness/rounds'
import { latencyChart, memoryChart } from './bars'
import { caseChart } from './case-chart'
import type { Measured } from './palette'

export interface Chart {
  /** Its file's name, without an ending. */
  readonly name: string
  readonly alt: string
  readonly svg: string
}

/** A chart for each case, and one of memory. */
export function chartsOf(results: readonly Result[]): Chart[] {
  const measured = results.filter((result): result is Measured => result.summary !== undefined)
  const charts: Chart[] = []
  for (const name of new Set(measured.map(({ job }) => job.case))) {
    const used = findCase(name)
    const own = measured.filter(({ job }) => job.case === name)
    const svg = used.measures === 'latency' ? latencyChart(own) : caseChart(used, own)
    charts.push({ name, alt: used.title, svg })
  }
  const first = measured[0]
  if (first !== undefined) {
    const used = findCase(measured.some(({ job }) => job.case === 'identity') ? 'identity' : first.job.case)
    const svg = memoryChart(
      used,
      measured.filter(({ job }) => job.case === used.name),
    )
    if (svg !== undefined) charts.push({ name: 'memory', alt: 'Memory by driver', svg })
  }
  return charts
}
