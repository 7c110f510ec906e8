/** The same program on several hosts: network namespaces where this machine makes them, else processes. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../lib/testing'
import { judge, untilCommitted, Worker } from '../../test/services/kafka/workers'
import { startKafka } from '../../test/services/servers/kafka'
import { packageFolder } from '../harness/paths'
import type { Probe } from './line'

const PARTITIONS = 6
const KEYS = 600
const BRIDGE = 'rxpshow'
const NET = '10.199.77'

/** A host: where a worker runs, and how it is cut off. */
interface Host {
  readonly prefix: readonly string[]
  cut(worker: Worker): void
  join(worker: Worker): void
}

interface Network {
  readonly kind: string
  /** Where the broker is for all hosts. */
  readonly address: string
  host(number: number): Host
  remove(): void
}

function ip(...args: readonly string[]): boolean {
  return spawnSync('ip', [...args], { stdio: 'ignore' }).status === 0
}

/** Hosts as network namespaces on a bridge, whose address is the broker's; undefined where they cannot be made. */
function namespaces(): Network | undefined {
  const remove = () => {
    for (let number = 1; number <= 3; number++) ip('netns', 'del', `${BRIDGE}${number}`)
    ip('link', 'del', BRIDGE)
  }
  // What a run that was killed has left.
  remove()
  const made = ip('link', 'add', BRIDGE, 'type', 'bridge')
  const ready = made && ip('addr', 'add', `${NET}.1/24`, 'dev', BRIDGE) && ip('link', 'set', BRIDGE, 'up')
  for (let number = 1; ready && number <= 3; number++) {
    const [name, outside, inside] = [`${BRIDGE}${number}`, `${BRIDGE}o${number}`, `${BRIDGE}i${number}`]
    const whole =
      ip('netns', 'add', name) &&
      ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside) &&
      ip('link', 'set', inside, 'netns', name) &&
      ip('link', 'set', outside, 'master', BRIDGE) &&
      ip('link', 'set', outside, 'up') &&
      ip('-n', name, 'addr', 'add', `${NET}.${10 + number}/24`, 'dev', inside) &&
      ip('-n', name, 'link', 'set', inside, 'up') &&
      ip('-n', name, 'link', 'set', 'lo', 'up')
    if (!whole) {
      remove()
      return undefined
    }
  }
  if (!ready) {
    if (made) remove()
    return undefined
  }
  return {
    kind: 'network namespaces',
    address: `${NET}.1`,
    host: (number) => ({
      prefix: ['ip', 'netns', 'exec', `${BRIDGE}${number}`],
      cut: () => void ip('link', 'set', `${BRIDGE}o${number}`, 'down'),
      join: () => void ip('link', 'set', `${BRIDGE}o${number}`, 'up'),
    }),
    remove,
  }
}

/** A process that is stopped for a while is a zombie as one is that is cut off. */
const processes: Network = {
  kind: 'processes',
  address: '127.0.0.1',
  host: () => ({ prefix: [], cut: (worker) => worker.signal('SIGSTOP'), join: (worker) => worker.signal('SIGCONT') }),
  remove: () => {},
}

async function scene(kafka: EmbeddedKafka, network: Network, folder: string, records: number) {
  await kafka.createTopics({ topic: 'in', partitions: PARTITIONS }, { topic: 'out', partitions: PARTITIONS })
  const workers: Worker[] = []
  const hosts = [1, 2, 3].map((number) => network.host(number))
  const start = (number: number) => {
    const worker = new Worker(
      {
        ...{
          main: join(packageFolder, 'dist', 'main.cjs'),
          name: 'scaling',
          brokers: kafka.brokers,
          input: 'in',
          output: 'out',
        },
        ...{ store: join(folder, `${number}`), every: 200, session: 3000, pipeline: { name: 'state' } },
      },
      {},
      hosts[number - 1]!.prefix,
    )
    workers.push(worker)
    return worker
  }
  const counts = new Map<string, number>()
  let written = 0
  const feed = async (share: number) => {
    const part = Array.from({ length: Math.round(records * share) }, () => {
      const k = `k${(written++ * 7) % KEYS}`
      const i = counts.get(k) ?? 0
      counts.set(k, i + 1)
      return { key: k, value: `{"k":"${k}","i":${i}}` }
    })
    await kafka.produce('in', part)
  }
  try {
    const first = start(1)
    await first.heard('started', PARTITIONS)
    await feed(0.2)
    const second = start(2)
    await second.heard('started')
    await feed(0.2)
    await second.kill()
    const third = start(3)
    await third.heard('started')
    await feed(0.2)
    hosts[2]!.cut(third)
    await feed(0.1)
    // Longer than its session: the others have its partitions by then.
    await sleep(8000)
    const known = third.said.filter(({ kind }) => kind === 'started').length
    hosts[2]!.join(third)
    await feed(0.1)
    await third.heard('started', known + 1)
    await first.stop()
    await feed(0.2)
    await untilCommitted(kafka, 'out', written, 120_000)
    await third.stop()
    let wrong = 0
    const verdict = await judge(kafka, 'out', counts, (text) => {
      const { k, i, n } = JSON.parse(text) as { k: string; i: number; n: number }
      if (n !== i + 1) wrong++
      return { key: k, number: i }
    })
    return { ...verdict, wrong, written }
  } finally {
    for (const worker of workers) worker.signal('SIGCONT')
    await Promise.all(workers.map((worker) => worker.kill()))
  }
}

export const hostsProbe: Probe = {
  lines: [
    {
      name: 'one job on three hosts: one added, one killed by kill -9, one cut off and let back, one stopped',
      target: 'none lost, none doubled, order and count kept for each key',
    },
  ],
  async run({ share }) {
    const network = namespaces() ?? processes
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-hosts-'))
    try {
      const kafka = await startKafka({ client: 'confluent', host: network.address })
      try {
        const records = Math.max(12_000, Math.round(120_000 * share))
        const {
          written,
          wrong,
          lost,
          doubled,
          disordered,
          records: read,
        } = await scene(kafka, network, folder, records)
        const faults = `${lost} lost, ${doubled} doubled, ${disordered} out of order, ${wrong} counts wrong`
        return [
          {
            value: `${read.toLocaleString('en')} records on ${network.kind}, ${faults}`,
            holds: read === written && lost + doubled + disordered + wrong === 0,
          },
        ]
      } finally {
        await kafka.stop()
      }
    } finally {
      network.remove()
      await rm(folder, { recursive: true, force: true })
    }
  },
}
