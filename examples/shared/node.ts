import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { main } from '../../lib/cli/main'

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
    const said = { out: '', problems: '' }
    const status = await main([name, '--folder', this.folder, ...args], {
      print: (text) => {
        said.out += `${text}\n`
      },
      complain: (text) => {
        said.problems += `${text}\n`
      },
    })
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
