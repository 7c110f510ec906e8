/** Sliding windows over many keys: the operators, and a loop written by hand that does the same and nothing else. */
import { from, Observable } from 'rxjs'

export type Streams = typeof import('../../lib/streams')

export interface Sample {
  key: number
  time: number
  value: number
}

export const SIZE = 10_000
export const SLIDE = 1_000

/** Events over the keys at random, in order of time. */
export function samples(events: number, keys: number): Sample[] {
  let seed = 12345
  return Array.from({ length: events }, (_, i) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return { key: (seed >>> 8) % keys, time: Math.floor(i / 10), value: (seed >>> 16) % 100 }
  })
}

export interface Totals {
  windows: number
  /** Of all windows' values. */
  total: number
}

export function byOperators(streams: Streams, input: readonly Sample[]): Totals {
  const { inWindows, keyBy, sliding, sum, timestampBy } = streams
  const totals = { windows: 0, total: 0 }
  from(input)
    .pipe(
      timestampBy((sample) => sample.time),
      keyBy((sample) => sample.key),
      inWindows(
        sliding(SIZE, SLIDE),
        sum((sample) => sample.value),
      ),
    )
    .subscribe({
      next: (event) => {
        if (event.kind !== 'item') return
        totals.windows++
        totals.total += event.value.value
      },
      error: (error) => {
        throw error
      },
    })
  return totals
}

interface Result {
  key: number
  start: number
  end: number
  value: number
}

/**
 * For each key a ring of sums, one for each slide; at the end of each slide the windows of all keys. It takes items and
 * gives results as a stream does, and does nothing about disorder.
 */
export function byHand(input: readonly Sample[]): Totals {
  const totals = { windows: 0, total: 0 }
  const windows = new Observable<Result>((out) => {
    const parts = SIZE / SLIDE
    const rings = new Map<number, { sums: number[]; counts: number[] }>()
    const close = (end: number) => {
      for (const [key, { sums, counts }] of rings) {
        let value = 0
        let count = 0
        for (let i = 0; i < parts; i++) {
          value += sums[i]!
          count += counts[i]!
        }
        if (count > 0) out.next({ key, start: end - SIZE, end, value })
        else rings.delete(key)
        const oldest = (end / SLIDE) % parts
        sums[oldest] = counts[oldest] = 0
      }
    }
    let next = SLIDE
    return from(input).subscribe({
      next({ key, time, value }) {
        for (; time >= next; next += SLIDE) close(next)
        let ring = rings.get(key)
        if (ring === undefined) {
          ring = { sums: Array(parts).fill(0), counts: Array(parts).fill(0) }
          rings.set(key, ring)
        }
        const part = Math.floor(time / SLIDE) % parts
        ring.sums[part]! += value
        ring.counts[part]! += 1
      },
      complete() {
        for (; rings.size > 0; next += SLIDE) close(next)
        out.complete()
      },
    })
  })
  windows.subscribe((result) => {
    totals.windows++
    totals.total += result.value
  })
  return totals
}
