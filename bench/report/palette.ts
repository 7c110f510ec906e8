/** Which lines and bars stand out: ours, and the peers that come nearest to it. */
import { findDriver } from '../drivers'
import type { Result } from '../harness/rounds'
import type { Driver } from '../harness/types'

export type Measured = Result & { readonly summary: NonNullable<Result['summary']> }

// Ours are cold colours, the others' warm: which side a line is on shows before its name is read.
const OURS = ['#0b3fae', '#3d86ff', '#0a7d8c', '#2bb3a3', '#5b6ee1']
const PEERS = ['#d9480f', '#b7791f', '#c2255c']
const REST = '#a8b0b8'
const BOUNDS = ['#444c55', '#8a939c']

/** In bars, a name stands beside each: who is ours is all that colour has to say. */
export const BAR_COLORS: Record<Driver['role'], string> = { ours: '#0b3fae', peer: '#b9a48c', bound: '#8a939c' }

export interface Look {
  readonly color: string
  readonly strong: boolean
  readonly dash?: string
}

export function roleOf(result: Result): Driver['role'] {
  return findDriver(result.job.driver).role
}

/** Looks by driver; names come best first, and the best peers get a colour each. */
export function looks(names: readonly string[]): Map<string, Look> {
  const left = { ours: [...OURS], peer: [...PEERS], bound: [...BOUNDS] }
  return new Map(
    names.map((name) => {
      const { role } = findDriver(name)
      const color = left[role].shift() ?? REST
      return [name, { color, strong: role === 'ours', dash: role === 'bound' ? '5 4' : undefined }]
    }),
  )
}

/** What a chart of many drivers leaves to the table: a newcomer asks about calls on one interpreter and on two. */
export function isShown(driver: string): boolean {
  return findDriver(driver).role !== 'ours' || ['shared', 'namespace'].includes(driver)
}
