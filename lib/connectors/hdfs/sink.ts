import { randomBytes } from 'node:crypto'
import type { Sink } from '../../jobs/sinks'
import { StreamChecker } from '../../streams/check'
import { checkEpochFiles, EPOCH_FILES, type EpochFileOptions, EpochFiles, type EpochStore } from '../formats/epochs'
import { anySignal } from '../options'
import { Backoff, retrying } from '../retry'
import { checkHdfs, HDFS, HdfsError, type HdfsOptions, WebHdfs, worthwhile } from './client'

export interface HdfsSinkOptions<T> extends EpochFileOptions<T>, HdfsOptions {
  signal?: AbortSignal
}

/**
 * A file for each epoch that has results, or several: `part-000012-00.jsonl`. It is written under another name, which begins with a dot so
 * that other programs of Hadoop pass over it, and renamed when the checkpoint is safe.
 *
 * Delivery: exactly once.
 */
export function hdfsSink<T = unknown>(options: HdfsSinkOptions<T>): Sink<T> {
  const check = new StreamChecker('hdfsSink', options ?? {}, [...EPOCH_FILES, ...HDFS, 'signal'])
  const hdfs = checkHdfs(check, options ?? {})
  const files = checkEpochFiles(check, options ?? {})
  const signal = check.signal('signal', options?.signal)
  check.done()
  return new EpochFiles(new HdfsStore(new WebHdfs(hdfs), signal), 'part', files)
}

/** A file that is not seen yet. */
interface Hidden {
  name: string
  hidden: string
}

/** Behind the name of a file that is not seen yet, whose run it is of. */
const HIDDEN = /^\.(.+)\.[0-9a-f]{12}$/

class HdfsStore implements EpochStore<Hidden> {
  private over: AbortSignal
  /** What a run before was writing as it was stopped, the cluster may still be at: no name is used by two runs. */
  private run = ''

  constructor(
    private readonly hdfs: WebHdfs,
    private readonly own: AbortSignal | undefined,
  ) {
    this.over = anySignal(own)
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    this.over = anySignal(signal, this.own)
    this.run = randomBytes(6).toString('hex')
    await this.trying('opening', () => this.hdfs.makeFolder(this.hdfs.options.path, this.over))
  }

  async list(): Promise<string[]> {
    return (await this.names()).filter((name) => !name.startsWith('.'))
  }

  async stage(name: string, bytes: string | Uint8Array): Promise<Hidden> {
    const hidden = `.${name}.${this.run}`
    await this.trying(`writing ${name}`, () => this.hdfs.create(this.at(hidden), bytes, this.over))
    return { name, hidden }
  }

  async show(files: readonly Hidden[]): Promise<void> {
    for (const { name, hidden } of files) {
      await this.trying(`showing ${name}`, async () => {
        if (await this.hdfs.rename(this.at(hidden), this.at(name), this.over)) return
        // Shown before the process was killed, or before the answer was lost.
        if (await this.hdfs.exists(this.at(name), this.over)) return
        throw new HdfsError(`hdfs: ${this.at(hidden)} is gone, and was not shown`, 404, 'FileNotFoundException')
      })
    }
  }

  async remove(name: string): Promise<void> {
    await this.trying(`removing ${name}`, () => this.hdfs.remove(this.at(name), this.over))
  }

  async discard(isOurs: (name: string) => boolean): Promise<void> {
    for (const hidden of await this.names()) {
      const name = HIDDEN.exec(hidden)?.[1]
      if (name !== undefined && isOurs(name)) await this.remove(hidden)
    }
  }

  close(): void {}

  private names(): Promise<string[]> {
    return this.trying('listing', async () => {
      return (await this.hdfs.list(this.hdfs.options.path, this.over)).map(({ name }) => name)
    })
  }

  private at(name: string): string {
    const { path } = this.hdfs.options
    return path === '/' ? `/${name}` : `${path}/${name}`
  }

  /** Again where the cluster could not be reached. */
  private async trying<R>(what: string, act: () => Promise<R>): Promise<R> {
    const { path, retry, secrets } = this.hdfs.options
    const backoff = new Backoff(`hdfs: ${what} in ${path}`, retry, secrets)
    let result: { value: R } | undefined
    await retrying(
      backoff,
      this.over,
      async () => {
        result = { value: await act() }
        return true
      },
      worthwhile,
    )
    if (result === undefined) throw this.over.reason
    return result.value
  }
}
