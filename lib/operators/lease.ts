import { isHandlerSpec } from '../options'
import type { Handler, HandlerMode, HandlerSpec } from '../pool/handler'
import type { PythonPool } from '../pool/pool'
import type { CompleteOperatorOptions } from './options'

/** A handler for the time of one subscription. */
export interface Lease<I> {
  readonly handler: Handler<I, unknown>
  /** To be called once, at the end of the subscription. */
  release(): void
}

/**
 * Gets the handler that an operator works with. What it opens itself, it closes: when the last subscription ends, or for
 * `scan`, whose state belongs to one subscription, with each of them. A Handler or pool of the user's is never closed.
 */
export class HandlerProvider<I> {
  private shared: Handler<I, unknown> | undefined
  private users = 0

  constructor(
    private readonly given: Handler<I, unknown> | HandlerSpec,
    private readonly mode: HandlerMode,
    private readonly options: Pick<CompleteOperatorOptions<I, unknown>, 'pool' | 'handler' | 'seed'>,
    private readonly openPool: () => Promise<PythonPool> = openDefaultPool,
  ) {}

  /** A promise only where a pool must be opened first. */
  acquire(): Lease<I> | Promise<Lease<I>> {
    const { given } = this
    const seed = this.options.seed === undefined ? {} : { seed: this.options.seed }
    if (!isHandlerSpec(given)) {
      if (given.mode === this.mode && this.mode !== 'scan') return { handler: given, release: () => {} }
      return this.lease(() => given.variant<unknown>(this.mode, seed))
    }
    const make = (pool: PythonPool) => () =>
      pool.handler<I, unknown>(given, { ...this.options.handler, mode: this.mode, ...seed })
    const { pool } = this.options
    return pool ? this.lease(make(pool)) : this.openPool().then((opened) => this.lease(make(opened)))
  }

  private lease(make: () => Handler<I, unknown>): Lease<I> {
    if (this.mode === 'scan') {
      const handler = make()
      return { handler, release: () => close(handler) }
    }
    const handler = this.shared ?? make()
    this.shared = handler
    this.users++
    return {
      handler,
      release: () => {
        if (--this.users > 0) return
        this.shared = undefined
        close(handler)
      },
    }
  }
}

async function openDefaultPool(): Promise<PythonPool> {
  const { defaultPool } = await import('../pool/default')
  return defaultPool()
}

/** The stream is over by now and has had its say; what goes wrong here has nobody left to go to. */
function close(handler: Handler<never, unknown>): void {
  handler.close().catch(() => {})
}
