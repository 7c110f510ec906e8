import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const PROGRAM = ['--import=tsx', resolve(__dirname, '..', '..', 'lib', 'cli', 'bin.ts')]
const ROOT = resolve(__dirname, '..', '..')

/** A job node in a folder that goes with it, driven by the command line as by hand. */
export class ExampleNode {
  private process: ChildProcess | undefined
  private constructor(
    readonly folder: string,
    private readonly print: (line: string) => void,
  ) {}

  /** Starts one; `print` gets each line of its output. */
  static async start(print: (line: string) => void, ...args: string[]): Promise<ExampleNode> {
    const node = new ExampleNode(await mkdtemp(join(tmpdir(), 'rxjs-python-example-')), print)
    await node.start(...args)
    return node
  }

  /** Starts it again, in the same folder. */
  async start(...args: string[]): Promise<void> {
    const child = spawn(process.execPath, [...PROGRAM, 'node', '--folder', this.folder, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.process = child
    await new Promise<void>((listening, failed) => {
      child.once('exit', (code) => failed(new Error(`the node ended with ${code}`)))
      createInterface(child.stdout!).on('line', (line) => {
        this.print(line)
        if (line.includes(' listens at ')) listening()
      })
    })
  }

  /** `rxjs-python NAME ARGS`; resolves with what it printed, rejects with what it complained of. */
  async run(name: string, ...args: string[]): Promise<string> {
    const child = spawn(process.execPath, [...PROGRAM, name, '--folder', this.folder, ...args], { cwd: ROOT })
    const said = { out: '', problems: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.problems += text
    })
    const [status] = await once(child, 'close')
    if (status !== 0) throw new Error(said.problems.trim())
    return said.out
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.process!
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  async dispose(): Promise<void> {
    await this.end()
    await rm(this.folder, { recursive: true, force: true })
  }
}
