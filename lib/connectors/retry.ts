import { setTimeout as sleep } from 'node:timers/promises'
import type { Checker } from '../checker'
import { ConnectionError } from '../errors'
import { safeError } from './secrets'

/** How a connector comes back to a server that went away. */
export interface RetryOptions {
  /** Milliseconds before the first attempt after a failure (default 100); doubled from attempt to attempt. */
  initial?: number
  /** The most milliseconds between two attempts (default 10,000). */
  max?: number
  /** Attempts in a row that may fail; then the stream errors (default: no limit). */
  attempts?: number
}

export type Retry = Required<RetryOptions>

/** The options with their defaults; problems go to `check`. */
export function checkRetry(check: Checker, retry: RetryOptions | undefined): Retry {
  const complete = { initial: 100, max: 10_000, attempts: Number.POSITIVE_INFINITY }
  if (retry === undefined || !check.object('retry', retry, Object.keys(complete))) return complete
  const { attempts } = retry
  if (attempts !== Number.POSITIVE_INFINITY) check.whole('retry.attempts', attempts, 1, Number.MAX_SAFE_INTEGER)
  return {
    initial: check.time('retry.initial', retry.initial, true) ?? complete.initial,
    max: check.time('retry.max', retry.max, true) ?? complete.max,
    attempts: attempts ?? complete.attempts,
  }
}

/** Waits longer from failure to failure, each connector for a time of its own, so that they do not all come back at once. */
export class Backoff {
  private failures = 0

  /**
   * `what` is for the error after the last attempt: `'redis: reading orders'`. `secrets` are kept out of it.
   */
  constructor(
    private readonly what: string,
    private readonly retry: Retry,
    private readonly secrets: readonly string[] = [],
    private readonly random: () => number = Math.random,
  ) {}

  /** It worked: the next failure is the first one again. */
  succeeded(): void {
    this.failures = 0
  }

  /**
   * After a failure: resolves when it is time for another attempt.
   *
   * @throws ConnectionError after the last attempt
   */
  async failed(error: unknown, signal?: AbortSignal): Promise<void> {
    this.failures++
    if (this.failures >= this.retry.attempts) {
      const cause = safeError(error, this.secrets)
      const times = this.failures === 1 ? '' : ` (${this.failures} attempts)`
      throw new ConnectionError(`${this.what}: ${messageOf(cause)}${times}`, { cause })
    }
    await pause(this.delay(), signal)
  }

  /** Between half and all of what it is now. */
  private delay(): number {
    const { initial, max } = this.retry
    const whole = Math.min(max, initial * 2 ** Math.min(this.failures - 1, 40))
    return whole * (0.5 + this.random() / 2)
  }
}

/** Calls `attempt` until it succeeds; undefined where `signal` aborted before. */
export async function retrying<R>(
  backoff: Backoff,
  signal: AbortSignal | undefined,
  attempt: () => Promise<R>,
  worthwhile: (error: unknown) => boolean = () => true,
): Promise<R | undefined> {
  while (!signal?.aborted) {
    try {
      const result = await attempt()
      backoff.succeeded()
      return result
    } catch (error) {
      if (signal?.aborted) return undefined
      if (!worthwhile(error)) throw error
      await backoff.failed(error, signal)
    }
  }
  return undefined
}

/** Sleeps; wakes early, without an error, where the signal aborts. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (!signal?.aborted) throw error
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // Several addresses that all refused come as one error without a message of its own.
  const inner = (error as AggregateError).errors as unknown[] | undefined
  return error.message || (inner?.length ? messageOf(inner[0]) : ((error as { code?: string }).code ?? error.name))
}
