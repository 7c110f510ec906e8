/** Lines over the pipes of a child process, many in flight, answered in order. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { handlersFolder } from '../harness/paths'
import type { Case } from '../harness/types'

const NEWLINE = 10

interface Waiting {
  resolve(line: string): void
  reject(error: Error): void
}

/** The arguments of the Python ends in `drivers/python`. */
export function pythonArguments(used: Case): string[] {
  return [handlersFolder, used.module, functionOf(used), used.init ? 'load' : '', used.payload, used.codec ?? '']
}

export function functionOf(used: Case): string {
  return used.function ?? 'handle'
}

export function pythonEnd(name: string): string {
  return join(__dirname, 'python', name)
}

export class LineProcess {
  private readonly child: ChildProcess
  private readonly waiting: Waiting[] = []
  private answered = 0
  private outbox: string[] = []
  private parts: Buffer[] = []
  private readonly closed: Promise<void>

  constructor(python: string, args: readonly string[]) {
    this.child = spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.child.stdout!.on('data', (chunk: Buffer) => this.read(chunk))
    this.closed = new Promise((resolve) => {
      this.child.on('close', (status) => {
        const error = new Error(`the Python process ended with status ${status}`)
        for (const one of this.waiting.splice(this.answered)) one.reject(error)
        resolve()
      })
    })
  }

  /** Sends one line; lines of one turn of the event loop leave in one write. */
  ask(line: string): Promise<string> {
    if (this.outbox.length === 0) process.nextTick(() => this.flush())
    this.outbox.push(line)
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }))
  }

  close(): Promise<void> {
    this.child.stdin!.end()
    return this.closed
  }

  private flush(): void {
    const lines = this.outbox
    this.outbox = []
    lines.push('')
    this.child.stdin!.write(lines.join('\n'))
  }

  private read(chunk: Buffer): void {
    let from = 0
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      this.answer(chunk.subarray(from, to))
      from = to + 1
    }
    if (from < chunk.length) this.parts.push(from === 0 ? chunk : chunk.subarray(from))
  }

  private answer(end: Buffer): void {
    let line = end
    if (this.parts.length > 0) {
      this.parts.push(end)
      line = Buffer.concat(this.parts)
      this.parts = []
    }
    const { resolve } = this.waiting[this.answered]!
    this.answered += 1
    // Thrown away in one go now and then: an array that loses its first element each time is slow.
    if (this.answered === 1024) {
      this.waiting.splice(0, this.answered)
      this.answered = 0
    }
    // Python's json writes ASCII, and Latin-1 is the quickest way from ASCII to a string.
    resolve(line.toString('latin1'))
  }
}
