import type { RequestListener } from 'node:http'
import type { OperatorFunction } from 'rxjs'
import { isHandlerSpec } from '../../options'
import { defaultPool } from '../../pool/default'
import { type Handler, type HandlerSpec, PythonHandler } from '../../pool/handler'
import { urlOf } from '../listen'
import { HandlerLane, type Lane, OperatorLane } from './lane'
import { ServeMetrics } from './metrics'
import { checkServe, type ServeOptions } from './serveOptions'
import { type CloseServiceOptions, HttpService } from './service'

/** A handler that answers requests; see `serve`. */
export interface Service extends AsyncDisposable {
  /** Where it is, such as `http://127.0.0.1:8080/predict`. */
  readonly url: string
  readonly port: number
  /** What answers a request: for a server of your own, with `listen: false`. The body must not have been read. */
  readonly listener: RequestListener
  /** Counts and times; as text they are in Prometheus' format. */
  readonly metrics: ServeMetrics
  /** Whether requests are taken. */
  readonly ready: boolean
  /** Takes no more requests, answers those that it has, and closes their connections. */
  close(options?: CloseServiceOptions): Promise<void>
}

/**
 * Serves a Python handler, or any operator that gives one result for each item in order, over HTTP: a POST with a record
 * (or a list of them) as JSON is answered with its result. What many clients ask at the same time goes to Python in one
 * batch: while an interpreter works, requests gather, and it takes all of them when it is free. No request waits
 * for others to come.
 *
 * Resolves when the handler is loaded and the port is open.
 *
 * @throws OptionError; HandlerError and the like where the handler cannot be loaded; what `listen` fails with
 */
export async function serve<I = unknown, O = unknown>(
  handler: Handler<I, O> | HandlerSpec | OperatorFunction<I, O>,
  options: ServeOptions<I> = {},
): Promise<Service> {
  const complete = checkServe(handler, options)
  const metrics = new ServeMetrics()
  const { lane, release } = await laneFor(handler as Handler | HandlerSpec | OperatorFunction<unknown, unknown>)
  const service = new HttpService(complete, lane, metrics, release)
  if (complete.listen) {
    try {
      await service.listen()
    } catch (error) {
      await service.close()
      throw error
    }
  }
  const { signal } = complete
  const abort = () => void service.close()
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  return {
    url: urlOf(complete, service.port, complete.path),
    port: service.port,
    listener: service.listener,
    metrics,
    get ready() {
      return service.ready
    },
    close: (how) => {
      signal?.removeEventListener('abort', abort)
      return service.close(how)
    },
    [Symbol.asyncDispose]: () => service.close(),
  }

  async function laneFor(given: Handler | HandlerSpec | OperatorFunction<unknown, unknown>) {
    const { concurrency, isolateErrors, timeout, key, batch, maxLatency } = complete
    if (typeof given === 'function') {
      const lane: Lane = new OperatorLane(given, {
        maxItems: typeof batch === 'number' ? batch : 1024,
        concurrency: concurrency ?? 1,
        timeout: timeout ?? complete.answerTimeout,
        isolateErrors,
        metrics: metrics.stage,
      })
      return { lane, release: async () => {} }
    }
    const opened = isHandlerSpec(given)
      ? (complete.pool ?? (await defaultPool())).handler(given, complete.handler)
      : given
    if (opened instanceof PythonHandler) await opened.ready
    const lane: Lane = new HandlerLane(opened, {
      batch,
      concurrency: concurrency ?? (opened.pool.scales ? undefined : opened.pool.size),
      isolateErrors,
      metrics: metrics.stage,
      ...(maxLatency !== undefined && { maxLatency }),
      ...(timeout !== undefined && { timeout }),
      key,
    })
    return { lane, release: opened === given ? async () => {} : () => opened.close() }
  }
}
