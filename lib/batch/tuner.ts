/** What a tuner is to find. */
export interface TunerLimits {
  /** The largest size that may be tried. */
  maxItems: number
  /** The most time from an item's arrival to its result, in milliseconds; undefined: only throughput counts. */
  maxLatency: number | undefined
}

type Direction = 'up' | 'down'

/** Items of the first batches: few where a time must be held, since nobody knows yet what an item takes. */
const START = 128
const CAREFUL_START = 16
/** Milliseconds after which a size is judged, where twice as many batches have come back as are in flight. */
const EPOCH = 60
/** The same for a neighbour of a size that was found long ago: there is no hurry. */
const CAREFUL_EPOCH = 150
/** Milliseconds after which half as many batches are enough. */
const LONG_EPOCH = 250
const LEAST_BATCHES = 2
/** Part of an epoch's batches that must have been full; else Python waited for items, and nothing was learned. */
const SATURATED = 0.75
/** Half the size has to be better by so much, and twice the size at all: where there is noise, larger is seldom much worse. */
const GAIN = 1.02
/** Milliseconds from sending to result that no size is to take: nothing is gained there, and the stream would stutter. */
const LUMP = 500
/** Milliseconds with the size that was chosen before one of its neighbours is tried again. */
const PAUSE = 700
/** A rate that differs by this part is another load, or other work. */
const SHIFT = 0.2
/**
 * Part of `maxLatency` that a batch has from when it is sent until its result: items may have waited as long before, since
 * the stage lets in twice what is in flight.
 */
const SENT_SHARE = 0.5
/** Part of that time that a size may take to be tried, so that noise does not exceed it. */
const AIM = 0.75
/** Half as many items have to take at most this part of the time, else their number is not what takes it. */
const RELIEF = 0.9
/** How often in a row. */
const STRIKES = 2
/** How much larger a size may become while time is given up. */
const FREE_GROWTH = 4
/** Milliseconds for which size then does not follow time, at first and, where it is no use again and again, at most. */
const RESIGNED = 1000
const MOST_RESIGNED = 32_000

const NOTHING = { items: Number.POSITIVE_INFINITY, took: Number.POSITIVE_INFINITY, before: 0 }

/**
 * Finds the size of batches while they run.
 *
 * Throughput: hill climbing over sizes that double, the rate of each measured over some batches; the .NET thread pool
 * finds its size so (Hellerstein, Morrison, Eilebrecht: "Optimizing concurrency levels in the .NET ThreadPool", 2008). It
 * climbs while twice the size is faster; goes down where half the size is clearly faster; tries the
 * neighbours again from time to time, and starts anew when the rate changes. Only full batches teach anything: where
 * Python waits for items, natural batching takes what is there.
 *
 * Latency: multiplicative decrease and careful growth, as Clipper holds its objective (Crankshaw et al.: "Clipper: A
 * Low-Latency Online Prediction Serving System", NSDI 2017, section 4.3.1). A batch that took too long makes the next ones
 * smaller at once, and sizes that would take too long, by what the last ones took, are not tried. Where even small batches take
 * too long, smaller ones would only make the queue longer: then throughput alone counts for a second.
 *
 * It has no clock of its own, so the same batches at the same times give the same sizes.
 */
export class BatchTuner {
  /** The most items that a batch should have now. */
  size: number
  /** How many batches are in flight at a time. */
  inFlight = LEAST_BATCHES
  private readonly most: number
  /** Milliseconds that a batch may take. */
  private readonly allowed: number
  /** The largest size that does not take too long, as far as is known. */
  private ceiling: number

  /** The size that was chosen, and its items per millisecond; 0: not measured. */
  private base = { size: 0, rate: 0 }
  /** Which neighbour of it is being tried. */
  private trial: Direction | undefined
  /** Whether the other neighbour is to be tried, too. */
  private exploring = false
  private careful = false
  private settled = 0
  private nextTrial: Direction = 'up'

  /** The batch that made the size smaller last, and the size before the first of those. */
  private slow = NOTHING
  private strikes = 0
  /** Batches that were sent before had larger ones before them. */
  private quietUntil = Number.NEGATIVE_INFINITY
  private resignedUntil = Number.NEGATIVE_INFINITY
  private resigned = RESIGNED

  private began = Number.NaN
  private items = 0
  private batches = 0
  private full = 0
  private longest = 0

  constructor({ maxItems, maxLatency }: TunerLimits) {
    this.most = maxItems
    this.allowed = maxLatency === undefined ? Number.POSITIVE_INFINITY : maxLatency * SENT_SHARE
    this.ceiling = maxItems
    this.size = Math.min(maxItems, maxLatency === undefined ? START : CAREFUL_START)
    this.base.size = this.size
  }

  /**
   * A batch has come back.
   *
   * @param took milliseconds since it was sent
   * @param now milliseconds
   */
  done(items: number, took: number, now: number): void {
    if (items > this.size) return // from when batches were larger
    if (took > this.allowed && now >= this.resignedUntil) {
      if (now - took >= this.quietUntil) this.shrink(items, took, now)
      return
    }
    const full = items === this.size
    if (Number.isNaN(this.began)) {
      // What comes before the first full batch was made before the size was chosen.
      if (full) this.began = now
      return
    }
    this.items += items
    this.batches++
    if (full) this.full++
    if (took > this.longest) this.longest = took
    const time = now - this.began
    const least = Math.max(LEAST_BATCHES, this.inFlight)
    if (time < (this.careful ? CAREFUL_EPOCH : EPOCH) || this.batches < (time < LONG_EPOCH ? 2 * least : least)) return
    const rate = this.items / time
    const saturated = this.full >= SATURATED * this.batches
    if (saturated) this.setCeiling()
    this.restart()
    if (saturated) this.judge(rate, now)
    else if (this.trial !== undefined) this.settle(now)
  }

  /** Too long: fewer items at once, by as much as it was too long, but not by more than half. */
  private shrink(items: number, took: number, now: number): void {
    const { slow } = this
    const before = slow === NOTHING ? this.size : slow.before
    const relieved = items > slow.items / 1.9 || took <= slow.took * RELIEF
    this.strikes = items > 1 && relieved ? 0 : this.strikes + 1
    if (items === 1 || this.strikes >= STRIKES) {
      this.slow = NOTHING
      this.strikes = 0
      this.resignedUntil = now + this.resigned
      this.resigned = Math.min(MOST_RESIGNED, 2 * this.resigned)
      this.ceiling = Math.min(this.most, FREE_GROWTH * before)
      this.base = { size: before, rate: 0 }
    } else {
      this.slow = { items, took, before }
      this.quietUntil = now + took
      this.ceiling = Math.max(1, Math.floor(items * Math.max(0.5, (AIM * this.allowed) / took)))
      this.base = { size: this.ceiling, rate: 0 }
    }
    this.settle(now)
  }

  /** A batch has a cost of its own besides that of its items, so one that is larger takes less than in proportion. */
  private setCeiling(): void {
    if (this.longest > this.allowed) return
    this.slow = NOTHING
    this.strikes = 0
    this.resigned = RESIGNED
    const fits = Math.floor((this.size * AIM * Math.min(this.allowed, LUMP)) / this.longest)
    this.ceiling = Math.min(this.most, Math.max(this.size, fits))
  }

  /** An epoch with full batches has ended. */
  private judge(rate: number, now: number): void {
    const { base, trial } = this
    if (trial === undefined) {
      if (base.rate > 0 && Math.abs(rate / base.rate - 1) <= SHIFT) {
        this.stay(rate, now)
      } else {
        // The first epoch, or the load or the work has changed.
        base.rate = rate
        this.exploring = true
        this.nextTrial = 'up'
        this.probe('up', now)
      }
    } else if (trial === 'up' ? rate > base.rate : rate > base.rate * GAIN) {
      this.base = { size: this.size, rate }
      this.exploring = false
      this.probe(trial, now)
    } else {
      this.turn(trial, now)
    }
  }

  private stay(rate: number, now: number): void {
    this.base.rate += (rate - this.base.rate) / 2
    if (now - this.settled < PAUSE) return
    // Where time sets the limit, a smaller size is only slower, and what waits then waits longer.
    const bound = this.ceiling < 2 * this.base.size
    const direction = bound ? 'up' : this.nextTrial
    this.nextTrial = direction === 'up' ? 'down' : 'up'
    this.careful = true
    this.probe(direction, now)
  }

  private probe(direction: Direction, now: number): void {
    const { size } = this.base
    const next = direction === 'up' ? Math.min(this.most, this.ceiling, size * 2) : size >> 1
    if (direction === 'up' ? next <= size : next < 1) this.turn(direction, now)
    else this.choose(next, direction)
  }

  /** Nothing is to be gained in this direction. */
  private turn(from: Direction, now: number): void {
    const other = this.exploring && from === 'up' && this.ceiling >= 2 * this.base.size
    this.exploring = false
    if (other) this.probe('down', now)
    else this.settle(now)
  }

  private settle(now: number): void {
    this.settled = now
    this.careful = false
    this.choose(this.base.size, undefined)
  }

  private choose(size: number, trial: Direction | undefined): void {
    this.size = size
    this.trial = trial
    this.restart()
  }

  private restart(): void {
    this.began = Number.NaN
    this.items = this.batches = this.full = 0
    this.longest = 0
  }
}
