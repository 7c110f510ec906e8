import { ConnectionError } from '../errors'
import type { Sink } from '../jobs/sinks'
import type { DeadLetters } from './deadLetters'
import type { Link } from './link'
import { anySignal } from './options'

export interface OutboxOptions<T, Raw, C> {
  /** For errors. */
  readonly what: string
  readonly link: Link<C>
  /** The most records of one `send`. */
  readonly batch: number
  readonly deadLetters: DeadLetters<unknown>
  /** Throws where the value has no form: a dead letter. */
  encode(value: T): Raw
  /** Resolves when the server has all of them. After a rejection the same ones are sent again. */
  send(client: C, records: readonly Raw[], signal: AbortSignal): Promise<void>
}

/**
 * A sink whose outside takes records in batches and answers when it has them: at least once. One batch is on its way while the
 * next one fills; then the stream waits.
 */
export class Outbox<T, Raw, C = unknown> implements Sink<T> {
  private filling: Raw[] = []
  private sending: Promise<void> | undefined
  /** Resolves when what was full has been sent; for all that came meanwhile. */
  private room: Promise<void> | undefined
  private stopping: AbortSignal | undefined
  private over = new AbortController()

  constructor(private readonly options: OutboxOptions<T, Raw, C>) {}

  open(_saved: unknown, signal?: AbortSignal): void {
    this.filling = []
    this.sending = undefined
    this.room = undefined
    this.over = new AbortController()
    this.stopping = signal
  }

  write(value: T): void | Promise<void> {
    let record: Raw
    try {
      record = this.options.encode(value)
    } catch (error) {
      this.options.deadLetters.add(error, value)
      return
    }
    this.filling.push(record)
    if (this.filling.length < this.options.batch) return
    if (this.sending === undefined) this.begin()
    else {
      this.room ??= this.flushAll().finally(() => {
        this.room = undefined
      })
      return this.room
    }
  }

  async prepare(): Promise<null> {
    await this.flushAll()
    return null
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    this.over.abort()
    await this.options.link.close()
    await this.sending?.catch(() => {})
  }

  /** Everything that was written before this call. */
  private async flushAll(): Promise<void> {
    await this.sending
    if (this.filling.length === 0) return
    await this.begin()
  }

  private begin(): Promise<void> {
    const records = this.filling
    this.filling = []
    const sending = this.send(records)
    this.sending = sending
    sending.then(
      () => {
        if (this.sending === sending) this.sending = undefined
      },
      // It stays, for whoever asks next: what it had is not sent.
      () => {},
    )
    return sending
  }

  private async send(records: readonly Raw[]): Promise<void> {
    const { link, what } = this.options
    const signal = anySignal(this.over.signal, this.stopping)
    let at = 0
    const sent = await link.use(signal, async (client) => {
      for (; at < records.length; at += this.options.batch) {
        await this.options.send(client, records.slice(at, at + this.options.batch), signal)
      }
      return true
    })
    if (sent === undefined) throw new ConnectionError(`${what}: stopped before everything was written`)
  }
}
