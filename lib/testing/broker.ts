import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { KafkaError } from '../errors'

export const KAFKA_VERSION = '4.3.0'

/** The folder for Kafka's jars that is taken where none is named. */
export function defaultJars(env: NodeJS.ProcessEnv = process.env): string {
  if (env.RXJS_PYTHON_KAFKA) return env.RXJS_PYTHON_KAFKA
  if (env.RXJS_PYTHON_CACHE) return join(env.RXJS_PYTHON_CACHE, `kafka-${KAFKA_VERSION}`)
  const base = env.XDG_CACHE_HOME ? env.XDG_CACHE_HOME : join(env.HOME ? env.HOME : homedir(), '.cache')
  return join(base, 'rxjs-python', `kafka-${KAFKA_VERSION}`)
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>rxjs-python</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

/** Fetches Kafka's jars into a folder by Maven, unless they are there. Two processes may do so at once. */
export async function ensureJars(folder: string): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('kafka_2.13-'))) return
  const work = `${folder}.${process.pid}-${randomUUID().slice(0, 8)}`
  mkdirSync(work, { recursive: true })
  try {
    writeFileSync(join(work, 'pom.xml'), POM)
    const args = ['-q', '-B', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime']
    await promisify(execFile)('mvn', [...args, `-DoutputDirectory=${join(work, 'jars')}`], { timeout: 600_000 })
    try {
      renameSync(join(work, 'jars'), folder)
    } catch (error) {
      // Another process was first.
      if (!existsSync(folder)) throw error
    }
  } catch (error) {
    const { code, stdout, message } = error as NodeJS.ErrnoException & { stdout?: string }
    const why =
      code === 'ENOENT' ? 'there is no Maven (mvn) here' : (stdout || message).split('\n').slice(0, 3).join(' ')
    throw new KafkaError(
      'ERR_KAFKA_BROKER',
      `Kafka's jars cannot be fetched into ${folder}: ${why}. Install Maven, or name a folder that has them (option 'jars').`,
    )
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

export interface BrokerOptions {
  /** The folder with Kafka's jars; they are fetched into it once, by Maven. */
  jars: string
  java: string
  heap: string
  host: string
  port: number | undefined
  properties: Readonly<Record<string, string>>
  folder: string | undefined
}

/** The process of a single-node broker in KRaft mode, and its folder. */
export class BrokerProcess {
  private child: ChildProcess | undefined
  private folder = ''
  private port = 0
  private controller = 0

  constructor(private readonly options: BrokerOptions) {}

  get address(): string {
    return `${this.options.host}:${this.port}`
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  async start(): Promise<void> {
    if (this.running) return
    const { jars, folder, port } = this.options
    await ensureJars(jars)
    if (this.folder === '') {
      this.folder = folder ?? (await mkdtemp(join(tmpdir(), 'rxjs-python-kafka-')))
      mkdirSync(this.folder, { recursive: true })
      this.port = port ?? (await freePort(this.options.host))
      this.controller = await freePort()
      await writeFile(join(this.folder, 'server.properties'), this.properties())
      const format = [
        'kafka.tools.StorageTool',
        'format',
        // In one word: an id may begin with a dash.
        `--cluster-id=${clusterId()}`,
        '-c',
        'server.properties',
        '--ignore-formatted',
      ]
      await this.java(format)
    }
    this.child = spawn(this.options.java, this.argsOf(['kafka.Kafka', 'server.properties']), {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const log = join(this.folder, 'broker.log')
    let tail = ''
    // Looked for as it comes: a broker with much to recover says a lot right behind it.
    let started = false
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        const said = tail + chunk
        started ||= said.includes('Kafka Server started')
        tail = said.slice(-4000)
        appendFileSync(log, chunk)
      })
    }
    const child = this.child
    child.on('error', () => {})
    const end = Date.now() + 120_000
    while (!started) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined || Date.now() > end) {
        child.kill('SIGKILL')
        throw new KafkaError('ERR_KAFKA_BROKER', `the broker does not start: ${whyOf(tail)} (its log is ${log})`)
      }
      await sleep(20)
    }
  }

  /** Ends the process: by SIGKILL, as a crash would, or so that it closes its files. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { child } = this
    if (child === undefined || !this.running) return
    const exited = once(child, 'exit')
    child.kill(signal)
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
    await exited
    clearTimeout(late)
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM')
    if (this.folder !== '' && this.options.folder === undefined) await rm(this.folder, { recursive: true, force: true })
    this.folder = ''
  }

  private argsOf(program: readonly string[]): string[] {
    const { heap, jars } = this.options
    return [`-Xmx${heap}`, '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', join(jars, '*'), ...program]
  }

  private async java(program: readonly string[]): Promise<void> {
    try {
      await promisify(execFile)(this.options.java, this.argsOf(program), { cwd: this.folder, timeout: 60_000 })
    } catch (error) {
      const { code, stdout, stderr, message } = error as NodeJS.ErrnoException & { stdout?: string; stderr?: string }
      const why =
        code === 'ENOENT'
          ? `there is no ${this.options.java} here: install a JRE of 17 or later`
          : stderr || stdout || message
      throw new KafkaError('ERR_KAFKA_BROKER', `the broker's folder cannot be made: ${whyOf(why)}`)
    }
  }

  private properties(): string {
    const all: Record<string, string> = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@127.0.0.1:${this.controller}`,
      listeners: `PLAINTEXT://${this.address},CONTROLLER://127.0.0.1:${this.controller}`,
      'advertised.listeners': `PLAINTEXT://${this.address}`,
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': join(this.folder, 'data'),
      'offsets.topic.replication.factor': '1',
      'offsets.topic.num.partitions': '4',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'transaction.state.log.num.partitions': '4',
      'share.coordinator.state.topic.replication.factor': '1',
      'share.coordinator.state.topic.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
      'group.min.session.timeout.ms': '1000',
      'group.consumer.min.session.timeout.ms': '1000',
      'group.consumer.min.heartbeat.interval.ms': '500',
      'log.cleaner.dedupe.buffer.size': '2097152',
      'log.cleaner.io.buffer.size': '65536',
      'auto.create.topics.enable': 'false',
      ...this.options.properties,
    }
    return `${Object.entries(all)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n')}\n`
  }
}

function clusterId(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url')
}

function whyOf(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
  return lines.slice(-3).join(' ').slice(-600) || 'it said nothing'
}

function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
