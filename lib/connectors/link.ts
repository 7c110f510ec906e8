import { stopsStream } from './deadLetters'
import { anySignal } from './options'
import { Backoff, type Retry } from './retry'

export interface LinkOptions<C> {
  /** For errors: `'redis: orders'`. */
  readonly what: string
  /** Opens a connection; rejects where the server is not there. */
  open(): Promise<C>
  /** Gives one back. Never rejects. */
  close(client: C): Promise<void> | void
  /** Whether an error means that the server may do it next time. */
  worthwhile(error: unknown): boolean
  readonly retry: Retry
  readonly secrets: readonly string[]
  /** Of the connector's options: gives up. */
  readonly signal: AbortSignal | undefined
}

/** One connection to a server, opened when it is used and again after it was lost. */
export class Link<C> {
  private opening: Promise<C> | undefined
  private over = new AbortController()
  private readonly backoff: Backoff

  constructor(private readonly options: LinkOptions<C>) {
    this.backoff = new Backoff(options.what, options.retry, options.secrets)
  }

  /**
   * Calls `act` with a connection; again, with another one, after an error that is worth it. Undefined where `signal`, the
   * connector's own signal, or `close` ended that.
   *
   * @throws ConnectionError after as many attempts as the options allow
   */
  async use<R>(signal: AbortSignal | undefined, act: (client: C) => Promise<R>): Promise<R | undefined> {
    const over = this.signal
    const stopped = () => over.aborted || signal?.aborted || this.options.signal?.aborted
    while (!stopped()) {
      let opening: Promise<C> | undefined
      try {
        opening = this.opening ??= this.options.open()
        const client = await opening
        if (stopped()) return undefined
        const result = await act(client)
        this.backoff.succeeded()
        return result
      } catch (error) {
        if (opening !== undefined) this.lose(opening)
        if (stopped()) return undefined
        if (stopsStream(error) || !this.options.worthwhile(error)) throw error
        await this.backoff.failed(error, anySignal(over, signal, this.options.signal))
      }
    }
    return undefined
  }

  /** The connection broke outside of `use`: resolves when it is time to use another one. Throws where that is of no use. */
  async failed(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    let told = false
    await this.use(signal, async () => {
      if (told) return
      told = true
      throw error
    })
  }

  /** The connection that there is at this moment; rejects where it does not come about. */
  get current(): Promise<C> | undefined {
    return this.opening
  }

  /** Aborts when the connection is to be no more. */
  get signal(): AbortSignal {
    return this.over.signal
  }

  /** Ends what waits for the server. It can be used again after that. */
  async close(): Promise<void> {
    const { opening } = this
    this.over.abort()
    this.over = new AbortController()
    this.opening = undefined
    await this.give(opening)
  }

  private lose(opening: Promise<C>): void {
    if (this.opening === opening) this.opening = undefined
    void this.give(opening)
  }

  private async give(opening: Promise<C> | undefined): Promise<void> {
    try {
      if (opening !== undefined) await this.options.close(await opening)
    } catch {
      // It never was open, or is gone already.
    }
  }
}
