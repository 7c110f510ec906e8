import type { Machine } from '../harness/machine'
import type { Plan } from '../harness/plan'

/** Where and when results were measured, and what was left out. */
export interface Facts {
  /** As of `Date.toISOString`. */
  readonly date: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
  readonly skipped: Plan['skipped']
}

export function factLines({ date, machine, rounds, seconds, skipped }: Facts): string[] {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${date.slice(0, 10)}, ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}`,
    versions.join(', '),
    `medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s, each measurement in a fresh process`,
    ...(machine.load > 0.5
      ? [`others were at work: load average ${machine.load.toFixed(1)} before the first measurement`]
      : []),
    ...skipped.map(({ driver, reason }) => `left out: ${driver}, ${reason}`),
  ]
}
