import { PoolClosedError } from '../errors'

/** A stream as its pool sees it. */
export interface OpenStream {
  /** Takes no further items; what was taken still goes through. */
  finish(): void
}

/** The streams that run through a pool. */
export class Streams {
  private readonly open = new Set<OpenStream>()
  private finishing = false
  private ended: (() => void) | undefined

  /** Returns a function to be called when the stream has ended. Throws where no further stream may begin. */
  add(stream: OpenStream): () => void {
    if (this.finishing) throw new PoolClosedError('the pool is about to close: it takes no further streams')
    this.open.add(stream)
    return () => {
      this.open.delete(stream)
      if (this.open.size === 0) this.ended?.()
    }
  }

  /** Asks all of them to finish; resolves when they have ended. */
  async finish(): Promise<void> {
    this.finishing = true
    for (const stream of [...this.open]) stream.finish()
    if (this.open.size === 0) return
    await new Promise<void>((resolve) => {
      this.ended = resolve
    })
  }
}
