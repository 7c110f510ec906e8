import type { Observer } from 'rxjs'
import type { StreamChecker } from '../streams/check'

/** A record that could not be used, and why. */
export interface DeadLetter<Raw = unknown, Position = unknown> {
  readonly error: unknown
  /** As it came from outside, or was to go there. */
  readonly record: Raw
  /** Where it was in the source; undefined where it was to go out. */
  readonly position: Position | undefined
  /** The connector and what it reads or writes: `'redis: orders'`. */
  readonly from: string
}

/**
 * Where bad records go: an observer, such as a Subject, or a function. `'error'` ends the stream with the first one. Default: they
 * are left out, with a process warning at the 1st, 10th, 100th …
 */
export type DeadLetterOption<Raw = unknown, Position = unknown> =
  | 'error'
  | Pick<Observer<DeadLetter<Raw, Position>>, 'next'>
  | ((letter: DeadLetter<Raw, Position>) => void)

/** What stops a stream because its user wants that: no other connection would mend it. */
const stopping = new WeakSet<object>()

/** Whether an error is a bad record's, where `'error'` says that it ends the stream. */
export function stopsStream(error: unknown): boolean {
  return typeof error === 'object' && error !== null && stopping.has(error)
}

/** Takes bad records of one connector. Throws what stops the stream. */
export class DeadLetters<Raw = unknown, Position = unknown> {
  /** How many there have been. */
  count = 0
  private readonly take: ((letter: DeadLetter<Raw, Position>) => void) | undefined
  private readonly fatal: boolean

  constructor(
    private readonly from: string,
    option: DeadLetterOption<Raw, Position> | undefined,
  ) {
    this.fatal = option === 'error'
    if (typeof option === 'function') this.take = option
    else if (typeof option === 'object') this.take = (letter) => option.next(letter)
  }

  add(error: unknown, record: Raw, position?: Position): void {
    this.count++
    if (this.fatal) {
      const reason = typeof error === 'object' && error !== null ? error : new Error(String(error))
      stopping.add(reason)
      throw reason
    }
    if (this.take !== undefined) this.take({ error, record, position, from: this.from })
    else if (Number.isInteger(Math.log10(this.count))) this.warn(error)
  }

  private warn(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    const count = this.count === 1 ? 'a record was' : `${this.count} records were`
    process.emitWarning(`${this.from}: ${count} left out; the option 'deadLetters' takes such. ${why}`, {
      code: 'RXJS_PYTHON_DEAD_LETTER',
    })
  }
}

export function checkDeadLetters(check: StreamChecker, option: unknown): void {
  if (option !== 'error') check.observer('deadLetters', option)
}
