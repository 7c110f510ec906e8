import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ensureJars } from '../../../lib/testing/broker'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../lib/testing/embeddedKafka'
import { type Installation, Unavailable } from '../installing'

const root = join(__dirname, '..', '..', '..')
const cache = join(root, '.cache', 'services')
const jars = join(cache, 'kafka')
const CLIENT = '@confluentinc/kafka-javascript'

const broker: Installation = {
  name: 'kafka',
  installed: () => existsSync(join(jars, 'kafka_2.13-4.3.0.jar')),
  install() {
    for (const [program, argument] of [
      ['mvn', '--version'],
      ['java', '-version'],
    ] as const) {
      if (spawnSync(program, [argument], { stdio: 'ignore' }).status !== 0) throw new Unavailable(`it takes ${program}`)
    }
    const code = `require(${JSON.stringify(join(root, 'lib/testing/broker'))}).ensureJars(${JSON.stringify(jars)})`
    const { status, stderr } = spawnSync(process.execPath, ['--import=tsx', '-e', code], {
      cwd: root,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr.slice(-1000))
  },
}

/** Its own installation fetches a binary from elsewhere, so it is not among the dependencies: here it is compiled, once. */
const client: Installation = {
  name: 'kafka-client',
  installed: () => existsSync(join(root, 'node_modules', CLIENT, 'package.json')),
  install() {
    const folder = join(cache, 'kafka-client')
    const built = join(folder, 'node_modules', CLIENT)
    if (!existsSync(join(built, 'build', 'Release', 'confluent-kafka-javascript.node'))) {
      if (spawnSync('make', ['--version'], { stdio: 'ignore' }).status !== 0)
        throw new Unavailable('it takes a C++ compiler')
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'kafka-client', private: true }))
      const { status, stdout, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', `${CLIENT}@^1.10.0`], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, CKJS_LINKING: 'dynamic' },
      })
      // Mostly the headers of OpenSSL are missing.
      if (status !== 0) throw new Unavailable(`the client does not compile: ${`${stdout}${stderr}`.slice(-500)}`)
    }
    const link = join(root, 'node_modules', CLIENT)
    mkdirSync(dirname(link), { recursive: true })
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link, { recursive: true })
    symlinkSync(built, link)
  },
}

export const installation: readonly Installation[] = [broker, client]

/** For a `before` hook: leaves the tests out where the broker or the client is not installed. */
export function needKafka(context: Mocha.Context): void {
  if (!installation.every((one) => one.installed())) context.skip()
}

/** A broker for a test, with the jars of the cache. */
export async function startKafka(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  await ensureJars(jars)
  return EmbeddedKafka.start({ jars, ...options })
}
