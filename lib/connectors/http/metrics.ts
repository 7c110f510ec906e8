import { StageMetrics } from '../../metrics'

/** The upper bounds of the histogram of answer times, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** What a service counts; the numbers are live. */
export class ServeMetrics {
  /** Answers by status. */
  readonly statuses = new Map<number, number>()
  /** Records of the requests that were taken. */
  records = 0
  /** Requests that were taken and have no answer yet. */
  inFlight = 0
  /** Records that were taken and have no result yet. */
  waiting = 0
  /** Bytes of the bodies that were taken, or are being read, and have no answer yet. */
  waitingBytes = 0
  /** Clients that had gone before their answer was there. */
  gone = 0
  /** The batches. */
  readonly stage = new StageMetrics()
  private readonly counts: number[] = BOUNDS.map(() => 0)
  private seconds = 0
  private answers = 0

  /** Counts an answer to a request that came `seconds` ago. */
  answered(status: number, seconds: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    this.answers++
    this.seconds += seconds
    let at = 0
    while (at < BOUNDS.length && seconds > BOUNDS[at]!) at++
    if (at < BOUNDS.length) this.counts[at]!++
  }

  /** In the text format of Prometheus. */
  toString(): string {
    const { stage } = this
    const lines: string[] = []
    const add = (name: string, type: string, help: string, samples: readonly (readonly [string, number])[]) => {
      lines.push(`# HELP rxjs_python_${name} ${help}`, `# TYPE rxjs_python_${name} ${type}`)
      for (const [label, value] of samples) lines.push(`rxjs_python_${name}${label} ${value}`)
    }
    const one = (value: number) => [['', value]] as const
    const byStatus = Array.from(this.statuses, ([status, count]) => [`{status="${status}"}`, count] as const)
    add('http_requests_total', 'counter', 'Answers, by status.', byStatus)
    add('http_records_total', 'counter', 'Records of requests that were taken.', one(this.records))
    add('http_requests_in_flight', 'gauge', 'Requests without an answer yet.', one(this.inFlight))
    add('http_records_waiting', 'gauge', 'Records without a result yet.', one(this.waiting))
    add('http_waiting_bytes', 'gauge', 'Bytes of bodies without an answer yet.', one(this.waitingBytes))
    add('http_clients_gone_total', 'counter', 'Clients that left before their answer.', one(this.gone))
    add('batches_total', 'counter', 'Batches that came back.', one(stage.batches))
    add('batch_items_total', 'counter', 'Records in these batches.', one(stage.batchItems))
    add('batch_seconds_total', 'counter', 'Time from sending a batch to its result.', one(stage.latency / 1000))
    add('failed_items_total', 'counter', 'Records whose batch failed.', one(stage.failed))
    let under = 0
    const buckets = BOUNDS.map((bound, at) => {
      under += this.counts[at]!
      return [`_bucket{le="${bound}"}`, under] as const
    })
    add('http_request_seconds', 'histogram', 'Time from a request to its answer.', [
      ...buckets,
      ['_bucket{le="+Inf"}', this.answers],
      ['_sum', this.seconds],
      ['_count', this.answers],
    ])
    return `${lines.join('\n')}\n`
  }
}
