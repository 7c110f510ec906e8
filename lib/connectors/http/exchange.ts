import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Asked } from './format'
import type { Ticket } from './lane'

export interface Failure {
  readonly error: unknown
  /** The record of a list that it belongs to. */
  readonly index?: number
}

/** A request from its first byte to its answer. */
export class Exchange {
  /** It has its answer, or nobody waits for one. */
  over = false
  readonly began = performance.now()
  /** When its last byte had come. */
  arrived = 0
  /** Bytes of its body so far. */
  bytes = 0
  asked: Asked | undefined
  results: unknown[] = []
  failure: Failure | undefined
  /** Records without a result. */
  left = 0

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    private readonly settled: (exchange: Exchange) => void,
  ) {}

  /** Its records, each on its way. */
  begin(asked: Asked): Ticket[] {
    this.asked = asked
    this.left = asked.records.length
    this.results = new Array(this.left)
    return asked.records.map((record, index) => new RecordTicket(this, record, index))
  }

  done(index: number, value: unknown): void {
    this.results[index] = value
    this.left--
    if (this.left === 0 && !this.over && this.failure === undefined) this.settled(this)
  }

  /** One record's failure is that of its request. */
  failed(error: unknown, index?: number): void {
    if (this.over || this.failure !== undefined) return
    this.failure = index === undefined || !this.asked?.list ? { error } : { error, index }
    this.settled(this)
  }
}

class RecordTicket implements Ticket {
  constructor(
    readonly owner: Exchange,
    readonly record: unknown,
    private readonly index: number,
  ) {}

  get over(): boolean {
    return this.owner.over || this.owner.failure !== undefined
  }

  done(value: unknown): void {
    this.owner.done(this.index, value)
  }

  failed(error: unknown): void {
    this.owner.failed(error, this.index)
  }
}
