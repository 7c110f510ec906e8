import { findDriver } from '../drivers'
import { short } from '../harness/stats'
import type { Case } from '../harness/types'
import { lineChart, type Series } from './line-chart'
import { isShown, type Look, looks, type Measured, roleOf } from './palette'
import { sizeLabel } from './table'

/** The size at which the headline compares: the talk's, and where batching has paid off. */
const HEADLINE_SIZE = 1024
/** A bound this many times above everything else would flatten the lines that matter. */
const FAR_ABOVE = 20

/** Throughput by batch size, or the time of a call by the size of an array. */
export function caseChart(used: Case, results: readonly Measured[]): string {
  const times = used.payload === 'array'
  const inFlight = fewestInFlight(results)
  const shown = results.filter(
    ({ job }) => isShown(job.driver) && (!findDriver(job.driver).concurrent || job.inFlight === inFlight),
  )
  const size = headlineSize(used, shown)
  const ranked = shown
    .filter(({ job }) => job.size === size)
    .sort((a, b) => b.summary.median - a.summary.median)
    .map(({ job }) => job.driver)
  const names = [...new Set([...ranked, ...shown.map(({ job }) => job.driver)])]
  const highest = Math.max(...shown.filter((r) => roleOf(r) !== 'bound').map((r) => r.summary.median))
  const leftOut = names.filter((name) => {
    const own = shown.filter(({ job }) => job.driver === name)
    return findDriver(name).role === 'bound' && own.some((result) => result.summary.median > highest * FAR_ABOVE)
  })
  const look = looks(names.filter((name) => !leftOut.includes(name)))
  // The grey ones first: what stands out lies above them.
  const series = [...look].reverse().map(([name, its]) => toSeries(name, its, shown, times))
  const footnotes = leftOut.map((name) => `${findDriver(name).label} is far ${times ? 'below' : 'above'} the chart`)
  const twice = series.some(({ label }) => label.endsWith('×2')) ? ['×2: two interpreters'] : []
  const calls = inFlight === 1 ? 'one call after the other' : `${inFlight} calls in flight`
  return lineChart({
    title: headline(used, shown, size),
    subtitle: [used.title, calls, ...twice].join(', '),
    xLabel: times ? 'size of the array' : `batch size (${used.unit} per call)`,
    yLabel: times ? 'time of a call (less is better)' : `${used.unit} per second (more is better)`,
    xText: times ? (bytes) => sizeLabel(used, bytes) : undefined,
    yText: times ? duration : undefined,
    footnote: footnotes.length > 0 ? footnotes.join('; ') : undefined,
    series,
  })
}

function duration(microseconds: number): string {
  if (microseconds < 1e3) return `${short(microseconds)} µs`
  return microseconds < 1e6 ? `${short(microseconds / 1e3)} ms` : `${short(microseconds / 1e6)} s`
}

/** Where a driver was measured with several numbers of calls in flight, the lowest. */
function fewestInFlight(results: readonly Measured[]): number {
  return Math.min(...results.filter(({ job }) => findDriver(job.driver).concurrent).map(({ job }) => job.inFlight))
}

export function headlineSize(used: Case, results: readonly Measured[]): number {
  const sizes = results.map(({ job }) => job.size)
  return used.payload !== 'array' && sizes.includes(HEADLINE_SIZE) ? HEADLINE_SIZE : Math.max(...sizes)
}

function toSeries(name: string, look: Look, shown: readonly Measured[], times: boolean): Series {
  const value = (perSecond: number) => (times ? 1e6 / perSecond : perSecond)
  const points = shown
    .filter(({ job }) => job.driver === name)
    .map(({ job, summary }) => {
      const [one, other] = [value(summary.min), value(summary.max)]
      return { x: job.size, y: value(summary.median), low: Math.min(one, other), high: Math.max(one, other) }
    })
    .sort((a, b) => a.x - b.x)
  return { label: findDriver(name).label, color: look.color, width: look.strong ? 3 : 1.5, dash: look.dash, points }
}

export interface Lead {
  readonly ratio: number
  readonly peer: string
}

/** Ours against the best peer at one size; undefined where there is nothing to compare. */
export function leadOf(results: readonly Measured[], size: number): Lead | undefined {
  const best = (role: 'ours' | 'peer') =>
    results
      .filter((result) => roleOf(result) === role && result.job.size === size)
      .sort((a, b) => b.summary.median - a.summary.median)[0]
  const ours = best('ours')
  const peer = best('peer')
  if (ours === undefined || peer === undefined) return undefined
  return { ratio: ours.summary.median / peer.summary.median, peer: findDriver(peer.job.driver).label }
}

/** Says what the chart shows, in one sentence. */
function headline(used: Case, shown: readonly Measured[], size: number): string {
  const lead = leadOf(shown, size)
  if (lead === undefined) return used.title
  const at = used.payload === 'array' ? `arrays of ${sizeLabel(used, size)}` : `batches of ${size.toLocaleString('en')}`
  const ratio = lead.ratio < 10 ? lead.ratio.toFixed(1) : lead.ratio.toFixed(0)
  return `${ratio}x the best of the others (${lead.peer}), ${at}`
}
