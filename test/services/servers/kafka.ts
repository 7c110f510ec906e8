import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureJars } from '../../../lib/testing/broker'
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../lib/testing/embeddedKafka'
import { compiled, type Installation, Unavailable } from '../installing'

const root = join(__dirname, '..', '..', '..')
const cache = join(root, '.cache', 'services')
const jars = join(cache, 'kafka')

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

/** What it does when it is installed otherwise is to fetch a binary from elsewhere. Mostly the headers of OpenSSL are missing. */
const client = compiled(
  'kafka-client',
  '@confluentinc/kafka-javascript',
  '^1.10.0',
  'build/Release/confluent-kafka-javascript.node',
  { CKJS_LINKING: 'dynamic' },
)

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
