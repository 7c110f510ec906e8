import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EmbeddedKafka } from '../../../lib/testing'
import { TestNode } from '../../fixtures/node/nodes'
import { needKafka, startKafka } from '../servers/kafka'

const PARTITIONS = 4
const KEYS = 40
/** Milliseconds: for a machine that is busy with something else. */
const PATIENCE = 90_000

interface Counted {
  readonly key: string
  readonly count: number
  readonly by: string
}

describe('a job that nodes share through Kafka', () => {
  let kafka: EmbeddedKafka
  const nodes: TestNode[] = []
  let rounds = 0

  before(async function () {
    needKafka(this)
    kafka = await startKafka()
    await kafka.createTopics({ topic: 'in', partitions: PARTITIONS }, 'out')
    for (let node = 0; node < 2; node++) nodes.push(await TestNode.start())
  })
  after(async () => {
    await Promise.all(nodes.map((node) => node.dispose()))
    await kafka?.stop()
  })

  /** One record more of each key; resolves with all results when they are there. */
  async function counted(): Promise<Counted[]> {
    await kafka.produce(
      'in',
      Array.from({ length: KEYS }, (_, key) => ({ key: `k${key}`, value: '0' })),
    )
    rounds++
    for (const end = Date.now() + PATIENCE; ; await sleep(100)) {
      const records = (await kafka.read('out')).map(({ value }) => JSON.parse(String(value)) as Counted)
      if (records.length >= rounds * KEYS) return records
      if (Date.now() > end) throw new Error(`${records.length} results of ${rounds * KEYS}: ${logs()}`)
    }
  }

  function logs(): string {
    return nodes.map(({ output }, at) => `\nnode ${at}:\n${output.slice(-3000)}`).join('')
  }

  /** Who counted the last round. */
  function workers(all: readonly Counted[]): string[] {
    return [...new Set(all.filter(({ count }) => count === rounds).map(({ by }) => by))].sort()
  }

  /** How often the node has started a partition. */
  function starts(node: TestNode): number {
    return (node.output.match(/partition \d started/g) ?? []).length
  }

  /** Does something; resolves when the node has started so many partitions since. */
  async function starting(node: TestNode, many: number, act: () => Promise<unknown>): Promise<void> {
    const before = starts(node)
    await act()
    for (const end = Date.now() + PATIENCE; starts(node) < before + many; await sleep(50)) {
      if (Date.now() > end) throw new Error(`not ${many} partitions were started: ${logs()}`)
    }
  }

  async function told(node: TestNode, order: string): Promise<void> {
    const { status, problems } = await node.run(order, 'sharing')
    assert.equal(status, 0, problems)
  }

  it('goes on, with its counts, on whichever nodes there are', async () => {
    const [first, second] = nodes as [TestNode, TestNode]
    const submit = async (node: TestNode, by: string) => {
      const { status, problems } = await node.submit('sharing', '--', kafka.brokers, by)
      assert.equal(status, 0, problems)
    }
    await starting(first, PARTITIONS, () => submit(first, 'first'))
    assert.deepEqual(workers(await counted()), ['first'])

    await starting(second, PARTITIONS / 2, () => submit(second, 'second'))
    assert.deepEqual(workers(await counted()), ['first', 'second'])

    // Who suspends it leaves its partitions to the others.
    await starting(second, PARTITIONS / 2, () => told(first, 'suspend'))
    assert.equal((await first.job('sharing'))?.state, 'suspended')
    assert.deepEqual(workers(await counted()), ['second'])

    // So does one that is killed; and one that was suspended is back when it is told so.
    await starting(first, PARTITIONS / 2, () => told(first, 'resume'))
    await second.end('SIGKILL')
    assert.deepEqual(workers(await counted()), ['first'])
    assert.ok((await first.job('sharing'))!.epoch! > 0)

    // Back again, by itself.
    await starting(second, PARTITIONS / 2, () => second.start())
    const all = await counted()
    assert.deepEqual(workers(all), ['first', 'second'])
    for (let key = 0; key < KEYS; key++) {
      const counts = all.filter((one) => one.key === `k${key}`).map(({ count }) => count)
      assert.deepEqual(
        counts,
        Array.from({ length: rounds }, (_, at) => at + 1),
      )
    }
    await told(second, 'cancel')
    assert.deepEqual(workers(await counted()), ['first'])
  })

  it('says at its submission what it lacks', async () => {
    const said = await nodes[1]!.submit('sharing', '--name', 'absent', '--', '127.0.0.1:1', 'nobody')
    assert.equal(said.status, 1)
    assert.match(said.problems, /ERR_KAFKA_CLIENT.*\[ERR_JOB_NODE_START\]/s)
  })
})
