import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { ConnectionError } from '../../errors'
import type { StreamChecker } from '../../streams/check'
import { loadClient } from '../client'
import { isNetwork } from '../network'
import { checkRetry, type RetryOptions } from '../retry'
import { safeError, secretsOf } from '../secrets'

export type Sdk = typeof import('@aws-sdk/client-s3')

export const S3_SDK = '^3.500.0'

/** Which bucket, and how it is reached. */
export interface S3Options {
  bucket: string
  /** What the keys begin with (default: nothing). */
  prefix?: string
  /**
   * What `S3Client` of `@aws-sdk/client-s3` takes (`region`, `credentials`, `endpoint`, `forcePathStyle`, …), or one of yours, which
   * is not closed here. Default: as the SDK finds it in its environment.
   */
  client?: S3ClientConfig | S3Client
  /** How it comes back where the service cannot be reached (default: for ever, every 100 ms to 10 s). */
  retry?: RetryOptions
}

export const S3 = ['bucket', 'prefix', 'client', 'retry'] as const

export function checkS3(check: StreamChecker, options: S3Options) {
  const { client } = options
  if (check.text('bucket', options.bucket) === undefined) check.problem("'bucket' is missing")
  if (options.prefix !== undefined && typeof options.prefix !== 'string') {
    check.problem("'prefix' must be a text", options.prefix)
  }
  if (client !== undefined && (typeof client !== 'object' || client === null)) {
    check.problem("'client' must be an S3Client, or options for one")
  }
  return {
    bucket: options.bucket,
    prefix: options.prefix ?? '',
    client,
    retry: checkRetry(check, options.retry),
    secrets: secretsOf(options),
  }
}

export type CompleteS3 = ReturnType<typeof checkS3>

/** A client, made on first use and given back by `close`. */
export class Bucket {
  private opening: Promise<{ sdk: Sdk; client: S3Client }> | undefined

  constructor(readonly options: CompleteS3) {}

  use(): Promise<{ sdk: Sdk; client: S3Client }> {
    this.opening ??= (async () => {
      const sdk = await loadClient<Sdk>('@aws-sdk/client-s3', S3_SDK)
      const { client } = this.options
      return { sdk, client: isClient(client) ? client : new sdk.S3Client(client ?? {}) }
    })()
    return this.opening
  }

  async close(): Promise<void> {
    const { opening } = this
    this.opening = undefined
    if (opening === undefined || isClient(this.options.client)) return
    const opened = await opening.catch(() => undefined)
    opened?.client.destroy()
  }

  /** The error as it may be shown. */
  failure(what: string, error: unknown): unknown {
    const { bucket, secrets } = this.options
    if (!(error instanceof Error)) return error
    const safe = safeError(error, secrets) as Error
    return new ConnectionError(`s3: ${what} in ${bucket}: ${safe.name}: ${safe.message}`, { cause: safe })
  }
}

function isClient(client: unknown): client is S3Client {
  return typeof (client as S3Client | undefined)?.send === 'function'
}

/** Whether it may be different next time: the network, or a service that is busy. */
export function worthwhile(error: unknown): boolean {
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: string }
  const status = $metadata?.httpStatusCode
  if (code === 'ERR_CLIENT_MISSING') return false
  return status === undefined ? isNetwork(error) : status >= 500 || status === 429 || status === 408
}
