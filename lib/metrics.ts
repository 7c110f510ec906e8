/**
 * What a stage counts. The numbers are live: the object given as `metrics` changes while the stream runs, and adds up
 * over the subscriptions that share it.
 */
export class StageMetrics {
  /** Items that came from the source, those that were dropped included. */
  itemsIn = 0
  /** Items that went on downstream. */
  itemsOut = 0
  /** Items that `overflow` dropped. */
  dropped = 0
  /** Items of failed batches; with `isolateErrors` the items that failed on their own. */
  failed = 0
  /** Items that wait for a batch to be sent. */
  waiting = 0
  /** Batches that Python works on, or that wait in its queue. */
  inFlight = 0
  /** Batches that came back, failed ones included. */
  batches = 0
  /** Items in these batches. */
  batchItems = 0
  /** The largest of these batches, in items. */
  largestBatch = 0
  /** The most items that a batch may have; with `batch: 'auto'` what has been found to be best so far. */
  batchLimit = 0
  /** The time from sending a batch to its result, added up over all batches, in milliseconds. */
  latency = 0
  /** The longest of these times, in milliseconds. */
  longestLatency = 0

  /** Items per batch; 0 before the first one. */
  get meanBatch(): number {
    return this.batches === 0 ? 0 : this.batchItems / this.batches
  }

  /** Milliseconds per batch; 0 before the first one. */
  get meanLatency(): number {
    return this.batches === 0 ? 0 : this.latency / this.batches
  }

  /** Counts a batch that came back. */
  batchDone(items: number, milliseconds: number): void {
    this.batches++
    this.batchItems += items
    if (items > this.largestBatch) this.largestBatch = items
    this.latency += milliseconds
    if (milliseconds > this.longestLatency) this.longestLatency = milliseconds
  }
}

/**
 * Where a stage's metrics go: an object that is updated in place, or a function (or observer) that is called with the
 * live object after each batch and at the end of the stream.
 */
export type MetricsTarget = StageMetrics | ((metrics: StageMetrics) => void) | { next(metrics: StageMetrics): void }
