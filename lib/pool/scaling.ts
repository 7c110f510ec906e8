/** What a pool's interpreters did between two looks at them. */
export interface Sample {
  /** Milliseconds since any fixed moment. */
  time: number
  /** Interpreters that take calls. */
  size: number
  /** The time that interpreters were busy since the last look, added up, in milliseconds. */
  busy: number
  /** Batches and items that they answered since then. */
  batches: number
  items: number
  /** Batches that wait for any interpreter, now. */
  waiting: number
}

export interface ScalingLimits {
  min: number
  max: number
  /** Milliseconds that an interpreter may have nothing to do before it goes. */
  idleAfter: number
}

/** How large the pool should be, and why. */
export interface Decision {
  size: number
  reason: 'backlog' | 'idle' | 'no gain'
}

/** Milliseconds of backlog before the pool grows. */
const GROW_AFTER = 300
/** The share of their time that interpreters work where another one would have something to do. */
const BUSY = 0.8
/** Batches that wait, on average, where another one would have something to do. */
const BACKLOG = 0.5
/**
 * Milliseconds over which what is needed is averaged, for shrinking: what waits at one look is chance, and would keep
 * interpreters that hardly work.
 */
const NEED = 500
/** Milliseconds over which the gain of an interpreter is measured, before and after it came. */
const TRIAL = 500
/** The part of its fair share of the rate that a new interpreter must add. */
const GAIN = 0.2
/** Milliseconds until growth that brought nothing is tried again; twice as long each further time. */
const FIRST_CEILING = 30_000
const LONGEST_CEILING = 30 * 60_000

/** Batches for each interpreter, before and after, without which a rate says too little. */
const ENOUGH = 4

interface Sum {
  time: number
  busy: number
  batches: number
  items: number
  /** The mean. */
  waiting: number
}

/** What a growth has to prove itself against. */
interface Trial {
  from: number
  to: number
  before: Sum
  /** When all of the new ones took calls; undefined until then. */
  since: number | undefined
}

/**
 * Decides how many interpreters a pool should have, from samples of what they do. By Little's law the batches that are in
 * the pool on average, run or waiting, are the interpreters that they could keep busy.
 *
 * It grows when the interpreters have been busy for a while and batches waited all the same, at most to twice the size at
 * a time. Each growth is a trial: where it does not raise the rate of items, because the machine's cores or a lock in
 * Python are what limits it, it is undone and not tried again for some time. It shrinks to what was needed at most, over
 * half a second, within the last `idleAfter` milliseconds. What makes it grow (full use and a backlog) and what makes it
 * shrink (less use than one interpreter fewer could bear) lie far apart, so it does not swing between the two.
 */
export class Scaling {
  private last: Sample | undefined
  /** Samples of the last moments, enough to cover both windows. */
  private recent: { from: number; sample: Sample }[] = []
  private surplusSince: number | undefined
  private mostNeeded = 0
  private trial: Trial | undefined
  private ceiling: { size: number; until: number } | undefined
  private vain = 0

  constructor(private readonly limits: ScalingLimits) {}

  /** What follows from one more sample; undefined where the size is right. */
  decide(sample: Sample): Decision | undefined {
    const { last } = this
    this.last = sample
    if (last === undefined) return undefined
    if (sample.size !== last.size) this.forget()
    this.recent.push({ from: last.time, sample })
    while (this.recent.length > 1 && this.recent[1]!.from <= sample.time - Math.max(TRIAL, NEED)) this.recent.shift()
    return this.judgeTrial(sample) ?? this.grow(sample) ?? this.shrink(sample)
  }

  /** Nothing is going on any more: the next sample is a first one. */
  rest(): void {
    this.last = undefined
    this.trial = undefined
    this.forget()
  }

  /** The pool could not grow: this size is what there is room for, for a while. */
  refused(): void {
    if (this.last === undefined) return
    this.trial = undefined
    this.limit(this.last.size, this.last.time)
  }

  private grow(sample: Sample): Decision | undefined {
    const { max } = this.limits
    if (this.ceiling !== undefined && sample.time >= this.ceiling.until) this.ceiling = undefined
    const most = Math.min(max, this.ceiling?.size ?? max)
    if (sample.size >= most || this.trial !== undefined) return undefined
    const window = this.window(sample.time - GROW_AFTER)
    if (window.time < GROW_AFTER || window.waiting < BACKLOG) return undefined
    if (window.busy < BUSY * sample.size * window.time) return undefined
    const inPool = window.busy / window.time + window.waiting
    const size = Math.min(most, 2 * sample.size, Math.max(sample.size + 1, Math.floor(inPool)))
    this.trial = { from: sample.size, to: size, before: this.window(sample.time - TRIAL), since: undefined }
    return { size, reason: 'backlog' }
  }

  /** Whether the last growth was worth it. */
  private judgeTrial(sample: Sample): Decision | undefined {
    const { trial } = this
    if (trial === undefined) return undefined
    const { from, to, before, since } = trial
    const { size, time } = sample
    if (since === undefined) {
      if (size >= to) trial.since = time
      return undefined
    }
    if (size < to) {
      this.trial = undefined
      return undefined
    }
    const after = this.window(since)
    if (after.time < TRIAL) return undefined
    this.trial = undefined
    // With few batches the rate says little, and with idle interpreters it is the source's.
    if (before.batches < ENOUGH * from || after.batches < ENOUGH * size) return undefined
    if (after.busy < BUSY * size * after.time) return undefined
    const gain = after.items / after.time / (before.items / before.time) - 1
    if (gain >= (GAIN * (size - from)) / from) {
      this.vain = 0
      return undefined
    }
    this.limit(from, time)
    return { size: from, reason: 'no gain' }
  }

  private shrink(sample: Sample): Decision | undefined {
    const { time, busy, waiting } = this.window(sample.time - NEED)
    const needed = busy / Math.max(1, time) + waiting
    if (sample.size <= this.limits.min || Math.ceil(needed - 0.01) >= sample.size) {
      this.surplusSince = undefined
      return undefined
    }
    if (this.surplusSince === undefined) {
      this.surplusSince = this.recent.at(-1)!.from
      this.mostNeeded = 0
    }
    this.mostNeeded = Math.max(this.mostNeeded, needed)
    if (sample.time - this.surplusSince < this.limits.idleAfter) return undefined
    this.surplusSince = undefined
    return { size: Math.max(this.limits.min, Math.ceil(this.mostNeeded - 0.01)), reason: 'idle' }
  }

  private limit(size: number, now: number): void {
    const pause = Math.min(FIRST_CEILING * 2 ** this.vain++, LONGEST_CEILING)
    this.ceiling = { size, until: now + pause }
  }

  /** What was seen at another size says nothing about this one. */
  private forget(): void {
    this.recent = []
    this.surplusSince = undefined
  }

  /** What the samples since then add up to; `waiting` is their mean. */
  private window(since: number): Sum {
    const sum = { time: 0, busy: 0, batches: 0, items: 0, waiting: 0 }
    let count = 0
    for (const { from, sample } of this.recent) {
      if (sample.time <= since) continue
      sum.time += sample.time - from
      sum.busy += sample.busy
      sum.batches += sample.batches
      sum.items += sample.items
      sum.waiting += sample.waiting
      count++
    }
    if (count > 0) sum.waiting /= count
    return sum
  }
}
