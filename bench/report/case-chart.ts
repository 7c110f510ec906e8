import { findDriver } from '../drivers'
import type { Result } from '../harness/rounds'
import type { Case, Driver } from '../harness/types'
import { lineChart, type Series } from './line-chart'

/** The size at which the headline compares: the talk's, and where batching has paid off. */
const HEADLINE_SIZE = 1024
/** A bound this many times above everything else would flatten the lines that matter. */
const FAR_ABOVE = 20
// Ours are cold colours, the others' warm: which side a line is on shows before its name is read.
const OURS = ['#0b3fae', '#3d86ff', '#0a7d8c', '#2bb3a3']
const PEERS = ['#d9480f', '#b7791f', '#c2255c', '#8a5a44']
const BOUNDS = ['#444c55', '#8a939c']

type Measured = Result & { readonly summary: NonNullable<Result['summary']> }

/** Throughput by batch size. Where a driver was measured with several numbers of calls in flight, the lowest. */
export function caseChart(used: Case, results: readonly Result[]): string {
  const measured = results.filter((result): result is Measured => result.summary !== undefined)
  const inFlight = Math.min(
    ...measured.filter(({ job }) => findDriver(job.driver).concurrent).map((r) => r.job.inFlight),
  )
  const shown = measured.filter(({ job }) => !findDriver(job.driver).concurrent || job.inFlight === inFlight)
  const names = [...new Set(shown.map(({ job }) => job.driver))]
  const highest = Math.max(...shown.filter((r) => roleOf(r) !== 'bound').map((r) => r.summary.median))
  const leftOut = names.filter((name) => {
    const own = shown.filter(({ job }) => job.driver === name)
    return findDriver(name).role === 'bound' && own.some((result) => result.summary.median > highest * FAR_ABOVE)
  })
  const colors = { ours: [...OURS], peer: [...PEERS], bound: [...BOUNDS] }
  const series = names
    .filter((name) => !leftOut.includes(name))
    .map((name) => toSeries(findDriver(name), shown, colors))
  const footnotes = leftOut.map((name) => `${findDriver(name).label} is far above the chart`)
  const twice = series.some(({ label }) => label.endsWith('×2')) ? ['×2: two interpreters'] : []
  return lineChart({
    title: headline(used, shown),
    subtitle: [used.title, ...(Number.isFinite(inFlight) ? [`${inFlight} calls in flight`] : []), ...twice].join(', '),
    xLabel: `batch size (${used.unit} per call)`,
    yLabel: `${used.unit} per second`,
    footnote: footnotes.length > 0 ? footnotes.join('; ') : undefined,
    series,
  })
}

function roleOf(result: Result): Driver['role'] {
  return findDriver(result.job.driver).role
}

function toSeries(driver: Driver, shown: readonly Measured[], colors: Record<Driver['role'], string[]>): Series {
  const points = shown
    .filter(({ job }) => job.driver === driver.name)
    .map(({ job, summary }) => ({ x: job.size, y: summary.median, low: summary.min, high: summary.max }))
    .sort((a, b) => a.x - b.x)
  return {
    label: driver.label,
    color: colors[driver.role].shift() ?? '#444c55',
    width: driver.role === 'ours' ? 3 : 1.5,
    dash: driver.role === 'bound' ? '5 4' : undefined,
    points,
  }
}

/** Says what the chart shows, in one sentence. */
function headline(used: Case, shown: readonly Measured[]): string {
  const sizes = [...new Set(shown.map(({ job }) => job.size))]
  const size = sizes.includes(HEADLINE_SIZE) ? HEADLINE_SIZE : Math.max(...sizes)
  const best = (role: Driver['role']) => {
    const candidates = shown.filter((result) => roleOf(result) === role && result.job.size === size)
    return candidates.sort((a, b) => b.summary.median - a.summary.median)[0]
  }
  const ours = best('ours')
  const peer = best('peer')
  if (ours === undefined || peer === undefined) return used.title
  const ratio = ours.summary.median / peer.summary.median
  const other = findDriver(peer.job.driver).label
  return `${ratio.toFixed(1)}x the ${used.unit} per second of ${other} (batches of ${size.toLocaleString('en')})`
}
