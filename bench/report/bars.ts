/** Charts that compare drivers at one size: latency and memory. */
import { findDriver } from '../drivers'
import { short } from '../harness/stats'
import type { Case } from '../harness/types'
import { type Bar, barChart } from './bar-chart'
import { headlineSize } from './case-chart'
import { BAR_COLORS, isShown, type Measured, roleOf } from './palette'
import { milliseconds } from './table'

/** p50 as bars and p99 as their tails, at the lowest rate. */
export function latencyChart(results: readonly Measured[]): string {
  const rate = Math.min(...results.map(({ job }) => job.size))
  const shown = results.filter(({ job, latency }) => job.size === rate && isShown(job.driver) && latency !== undefined)
  const sorted = shown.sort((a, b) => a.latency!.p50 - b.latency!.p50)
  const ours = sorted.find((result) => roleOf(result) === 'ours')
  return barChart({
    title:
      ours === undefined
        ? 'Latency'
        : `A call adds ${milliseconds(ours.latency!.p50)} (p99 ${milliseconds(ours.latency!.p99)})`,
    subtitle: `What a single record takes above the handler’s own time at ${rate} records a second: p50, and p99 as the thin bar`,
    bars: toBars(sorted, (result) => ({
      value: result.latency!.p50,
      tail: result.latency!.p99,
      shown: `${milliseconds(result.latency!.p50)} / ${milliseconds(result.latency!.p99)}`,
    })),
  })
}

/** Memory of the process and its children; undefined where the system does not say. */
export function memoryChart(used: Case, results: readonly Measured[]): string | undefined {
  const size = headlineSize(used, results)
  const shown = results.filter(({ job, memoryMiB }) => job.size === size && memoryMiB !== undefined)
  if (shown.length === 0) return undefined
  const inFlight = Math.min(
    ...shown.filter(({ job }) => findDriver(job.driver).concurrent).map(({ job }) => job.inFlight),
  )
  const sorted = shown
    .filter(({ job }) => job.inFlight === inFlight || !findDriver(job.driver).concurrent)
    .sort((a, b) => a.memoryMiB! - b.memoryMiB!)
  return barChart({
    title: 'Memory of Node with its Python',
    subtitle: `${used.title}, batches of ${size.toLocaleString('en')}; all processes together, garbage included`,
    bars: toBars(sorted, ({ memoryMiB }) => ({ value: memoryMiB!, shown: `${short(memoryMiB!)} MiB` })),
  })
}

function toBars(sorted: readonly Measured[], of: (result: Measured) => Pick<Bar, 'value' | 'tail' | 'shown'>): Bar[] {
  return sorted.map((result) => {
    const role = roleOf(result)
    return {
      label: findDriver(result.job.driver).label,
      color: BAR_COLORS[role],
      strong: role === 'ours',
      ...of(result),
    }
  })
}
