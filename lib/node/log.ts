import { appendFile, mkdir, open, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A log that has grown to so many bytes is put aside as `PATH.1`, in the place of the one before. */
const LARGEST = 4 << 20

/** Lines that are longer are cut into several. */
const LONGEST_LINE = 64 << 10

/** So much of the end of a log is looked at for its last lines. */
const TAIL = 1 << 20

export type LogListener = (line: string) => void

/** What a job has printed, and what its node has to say of it, line by line with the time. */
export class JobLog {
  private queue: Promise<void> = Promise.resolve()
  private bytes: number | undefined
  private readonly listeners = new Set<LogListener>()

  constructor(
    readonly path: string,
    private readonly echo: LogListener,
  ) {}

  /** Resolves when they are written; who waits for that is not ahead of the disk. */
  write(lines: readonly string[]): Promise<void> {
    const now = new Date().toISOString()
    const stamped = lines.map((line) => `${now} ${line}`)
    for (const line of stamped) {
      this.echo(line)
      for (const listener of this.listeners) listener(line)
    }
    this.queue = this.queue.then(() => this.append(`${stamped.join('\n')}\n`))
    return this.queue
  }

  /** Writes what a stream brings, and holds it back while that takes. */
  async drain(stream: NodeJS.ReadableStream): Promise<void> {
    stream.setEncoding('utf8')
    let rest = ''
    for await (const chunk of stream) {
      const lines = (rest + (chunk as string)).split('\n')
      rest = lines.pop()!
      while (rest.length > LONGEST_LINE) {
        lines.push(rest.slice(0, LONGEST_LINE))
        rest = rest.slice(LONGEST_LINE)
      }
      if (lines.length > 0) await this.write(lines)
    }
    if (rest !== '') await this.write([rest])
  }

  /** The last lines; fewer where they are very long. */
  async last(count: number): Promise<string[]> {
    await this.queue
    const recent = await tailOf(this.path)
    const older = recent.length < count ? await tailOf(`${this.path}.1`) : []
    return count === 0 ? [] : [...older, ...recent].slice(-count)
  }

  follow(listener: LogListener): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private async append(text: string): Promise<void> {
    if (this.bytes === undefined) {
      await mkdir(dirname(this.path), { recursive: true, mode: 0o700 })
      this.bytes = await stat(this.path).then(
        ({ size }) => size,
        () => 0,
      )
    }
    if (this.bytes > LARGEST) {
      await rename(this.path, `${this.path}.1`)
      this.bytes = 0
    }
    await appendFile(this.path, text, { mode: 0o600 })
    this.bytes += Buffer.byteLength(text)
  }
}

async function tailOf(path: string): Promise<string[]> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return []
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - TAIL)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
    lines.pop()
    return start === 0 ? lines : lines.slice(1)
  } finally {
    await file.close()
  }
}
