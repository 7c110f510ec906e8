/** What a job node promises: its jobs come back, and what it refuses it says clearly. */
import { readFile } from 'node:fs/promises'
import { TestNode, until } from '../../test/fixtures/node/nodes'
import type { Outcome, Probe } from './line'

const KILLS = 5

/** How many lines a file has of the sums of 0, 1, 2 …; NaN where one is lost or there twice. */
async function sumsIn(path: string): Promise<number> {
  const lines = (await readFile(path, 'utf8').catch(() => '')).split('\n').slice(0, -1)
  return lines.every((line, n) => Number(line) === (n * (n + 1)) / 2) ? lines.length : Number.NaN
}

const killed: Probe = {
  lines: [
    { name: `a node killed with -9 ${KILLS} times, its job's results`, target: 'goes on each time, each result once' },
  ],
  async run({ rounds }) {
    const node = await TestNode.start()
    try {
      const file = node.file('sums.txt')
      await node.submit('counting', '--', file)
      const kills = Math.min(KILLS, Math.max(2, rounds))
      for (let kill = 0; kill < kills; kill++) {
        const before = await sumsIn(file)
        await until(async () => !((await sumsIn(file)) <= before + 20))
        await node.end('SIGKILL')
        await node.start()
      }
      const before = await sumsIn(file)
      await until(async () => !((await sumsIn(file)) <= before + 20))
      const results = await sumsIn(file)
      return [{ value: `${kills} times back, ${results} results in order`, holds: results > 0 }]
    } finally {
      await node.dispose()
    }
  },
}

/** Each: what is tried, and what has to be said. */
const refusals: Probe = {
  lines: [
    { name: 'a submit while the node is full', target: 'ERR_JOB_NODE_FULL, exit status 1' },
    { name: 'a job that throws at once', target: 'its error, ERR_JOB_NODE_START, exit status 1; it is not kept' },
    { name: 'a second node on the same socket', target: 'ERR_JOB_NODE_RUNNING, exit status 1; the first goes on' },
    { name: 'a client where no node is', target: 'ERR_JOB_NODE_ABSENT, exit status 1' },
  ],
  async run() {
    const node = await TestNode.start('--max-jobs', '1')
    try {
      const thrown = await node.submit('throwing')
      const kept = (await node.run('list')).out !== 'the node has no jobs\n'
      await node.submit('counting', '--', node.file('sums.txt'))
      const full = await node.submit('counting', '--name', 'second', '--', node.file('second.txt'))
      const second = await node.run('node')
      const still = (await node.job('counting'))?.state === 'running'
      const absent = await node.run('list', '--folder', node.file('nobody'))
      const outcome = ({ status, problems }: typeof full, text: RegExp, also = true): Outcome => ({
        value: problems.split('\n', 1)[0]!.slice(0, 150),
        holds: status === 1 && text.test(problems) && also,
      })
      return [
        outcome(full, /the node is full: .*\[ERR_JOB_NODE_FULL\]\n$/s),
        outcome(thrown, /Error: no such model.*\[ERR_JOB_NODE_START\]\n$/s, !kept),
        outcome(second, /already.*\[ERR_JOB_NODE_RUNNING\]\n$/s, still),
        outcome(absent, /no node listens.*\[ERR_JOB_NODE_ABSENT\]\n$/s),
      ]
    } finally {
      await node.dispose()
    }
  },
}

export const nodeProbes: readonly Probe[] = [killed, refusals]
