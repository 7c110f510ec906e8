import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { checkEpochFiles, EPOCH_FILES, type EpochFileOptions, EpochFiles, type EpochStore } from '../formats/epochs'
import { anySignal } from '../options'
import { Backoff, retrying } from '../retry'
import { Bucket, checkS3, S3, type S3Options, worthwhile } from './client'

export interface S3SinkOptions<T> extends EpochFileOptions<T>, S3Options {
  /** The bytes of one part of an upload (default 8 MiB; S3 takes none below 5 MiB but the last). */
  partBytes?: number
  signal?: AbortSignal
}

/**
 * An object for each epoch that has results, or several: `PREFIXpart-000012-00.jsonl`. It is uploaded in parts before the checkpoint, which
 * nobody sees, and put together when the checkpoint is safe. The prefix is for this sink alone: uploads that were begun there and are in
 * no checkpoint are given up.
 *
 * Delivery: exactly once.
 */
export function s3Sink<T = unknown>(options: S3SinkOptions<T>): Sink<T> {
  const check = new StreamChecker('s3Sink', options ?? {}, [...EPOCH_FILES, ...S3, 'partBytes', 'signal'])
  const s3 = checkS3(check, options ?? {})
  const files = checkEpochFiles(check, options ?? {})
  const partBytes = check.whole('partBytes', options?.partBytes, 5 << 20, 2 ** 32) ?? 8 << 20
  const signal = check.signal('signal', options?.signal)
  check.done()
  return new EpochFiles(new S3Store(new Bucket(s3), partBytes, signal), 'part', files)
}

/** So many uploads are completed at once. */
const AT_ONCE = 8

/** An upload that is complete but for the last word. */
interface Upload {
  name: string
  id: string
  parts: { number: number; etag: string }[]
}

class S3Store implements EpochStore<Upload> {
  private over: AbortSignal

  constructor(
    private readonly bucket: Bucket,
    private readonly partBytes: number,
    private readonly own: AbortSignal | undefined,
  ) {
    this.over = anySignal(own)
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    this.over = anySignal(signal, this.own)
  }

  async list(): Promise<string[]> {
    const { prefix } = this.bucket.options
    const names: string[] = []
    for (let token: string | undefined, more = true; more; ) {
      const page = await this.send('ListObjectsV2Command', 'listing', {
        Prefix: `${prefix}part-`,
        ContinuationToken: token,
      })
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) names.push(Key.slice(prefix.length))
      token = page.NextContinuationToken
      more = page.IsTruncated === true && token !== undefined
    }
    return names
  }

  async stage(name: string, content: string | Uint8Array): Promise<Upload> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    const Key = this.keyOf(name)
    const begun = await this.send('CreateMultipartUploadCommand', `writing ${Key}`, { Key })
    const upload: Upload = { name, id: begun.UploadId!, parts: [] }
    for (let at = 0, number = 1; at < bytes.length || number === 1; at += this.partBytes, number++) {
      const Body = bytes.subarray(at, at + this.partBytes)
      const part = await this.send('UploadPartCommand', `writing ${Key}`, {
        Key,
        UploadId: upload.id,
        PartNumber: number,
        Body,
      })
      upload.parts.push({ number, etag: part.ETag! })
    }
    return upload
  }

  async show(uploads: readonly Upload[]): Promise<void> {
    // Several at once: what takes time is the way to the service and back.
    for (let at = 0; at < uploads.length; at += AT_ONCE) {
      await Promise.all(uploads.slice(at, at + AT_ONCE).map((upload) => this.complete(upload)))
    }
  }

  private async complete({ name, id, parts }: Upload): Promise<void> {
    const Key = this.keyOf(name)
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
    try {
      await this.send('CompleteMultipartUploadCommand', `completing ${Key}`, {
        Key,
        UploadId: id,
        MultipartUpload: { Parts },
      })
    } catch (error) {
      // Completed before the process was killed, or before the answer was lost: then the object is there.
      if (!isName(error, 'NoSuchUpload')) throw error
      await this.send('HeadObjectCommand', `completing ${Key}`, { Key })
    }
  }

  async remove(name: string): Promise<void> {
    const Key = this.keyOf(name)
    await this.send('DeleteObjectCommand', `removing ${Key}`, { Key })
  }

  async discard(isOurs: (name: string) => boolean): Promise<void> {
    const { prefix } = this.bucket.options
    for (let after: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {}; after !== undefined; ) {
      const markers: { KeyMarker?: string; UploadIdMarker?: string } = after
      const page = await this.send('ListMultipartUploadsCommand', 'listing uploads', {
        Prefix: `${prefix}part-`,
        ...markers,
      })
      for (const { Key, UploadId } of page.Uploads ?? []) {
        if (Key === undefined || !isOurs(Key.slice(prefix.length))) continue
        try {
          await this.send('AbortMultipartUploadCommand', `giving up ${Key}`, { Key, UploadId })
        } catch (error) {
          if (!isName(error, 'NoSuchUpload')) throw error
        }
      }
      after = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : undefined
    }
  }

  close(): Promise<void> {
    return this.bucket.close()
  }

  private keyOf(name: string): string {
    return `${this.bucket.options.prefix}${name}`
  }

  /** Sends a command; again where the service could not be reached. */
  private async send<K extends CommandName>(name: K, what: string, input: object): Promise<Outputs[K]> {
    const { bucket, retry, secrets } = this.bucket.options
    const backoff = new Backoff(`s3: ${what} in ${bucket}`, retry, secrets)
    const attempt = async () => {
      const { sdk, client } = await this.bucket.use()
      const Command = sdk[name] as unknown as new (input: object) => never
      return (await client.send(new Command({ Bucket: bucket, ...input }), { abortSignal: this.over })) as Outputs[K]
    }
    try {
      const answer = await retrying(backoff, this.over, attempt, worthwhile)
      if (answer === undefined) throw this.over.reason
      return answer
    } catch (error) {
      if (this.over.aborted || (error as { $metadata?: unknown }).$metadata === undefined) throw error
      throw this.bucket.failure(what, error)
    }
  }
}

interface Outputs {
  ListObjectsV2Command: import('@aws-sdk/client-s3').ListObjectsV2CommandOutput
  CreateMultipartUploadCommand: import('@aws-sdk/client-s3').CreateMultipartUploadCommandOutput
  UploadPartCommand: import('@aws-sdk/client-s3').UploadPartCommandOutput
  CompleteMultipartUploadCommand: import('@aws-sdk/client-s3').CompleteMultipartUploadCommandOutput
  HeadObjectCommand: import('@aws-sdk/client-s3').HeadObjectCommandOutput
  DeleteObjectCommand: import('@aws-sdk/client-s3').DeleteObjectCommandOutput
  ListMultipartUploadsCommand: import('@aws-sdk/client-s3').ListMultipartUploadsCommandOutput
  AbortMultipartUploadCommand: import('@aws-sdk/client-s3').AbortMultipartUploadCommandOutput
}

type CommandName = keyof Outputs

/** What the service said, behind our own error. */
function isName(error: unknown, name: string): boolean {
  return (error as Error).name === name || ((error as Error).cause as Error | undefined)?.name === name
}
