import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { TestNode, until } from '../../fixtures/node/nodes'

/** The sums of 0, 1, 2 … as a file has them, each exactly once; how many there are. */
async function demandSums(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const lines = text.split('\n').slice(0, -1)
  lines.forEach((line, n) => {
    assert.equal(Number(line), (n * (n + 1)) / 2, `line ${n}`)
  })
  return lines.length
}

describe('a job node', () => {
  let node: TestNode

  before(async () => {
    node = await TestNode.start('--max-jobs', '2', '--restarts', '2')
  })
  after(() => node.dispose())
  afterEach(async () => {
    for (const name of ['counting', 'other', 'crashing', 'finishing']) await node.run('cancel', name)
  })

  it('has a socket and a folder that only its user may open', async () => {
    assert.equal((await stat(node.folder)).mode & 0o777, 0o700)
    const socket = await stat(join(node.folder, 'node.sock'))
    assert.deepEqual([socket.isSocket(), socket.mode & 0o777], [true, 0o600])
  })

  it('keeps a job when its client has gone, prints its topics and its output, and keeps its log', async () => {
    const file = node.file('keeps.txt')
    const { status, out } = await node.submit('counting', '--', file)
    assert.deepEqual([status, out], [0, "job 'counting' is running\n"])
    await until(async () => (await demandSums(file)) > 20)
    await until(() => /\[counting\] 20\S+Z the sum is 210/.test(node.output) && /Value '210'/.test(node.output))
    assert.match(node.output, /^\*{63}\nTopic 'sums' : Job 'counting' : Value '210'\n\*{63}$/m)
    assert.match(node.output, /^\[counting\] 20\S+Z the sum is 210$/m)
    const logs = await node.run('logs', 'counting', '--lines', '1000')
    assert.match(logs.out, /^20\S+Z the sum is 0\n20\S+Z the sum is 210\n/)
    const listened = await node.run('listen', 'sums', '--count', '2')
    assert.match(listened.out, /^(Topic 'sums' : Job 'counting' : Value '\d+'\n){2}$/)
    const table = await node.run('list')
    assert.match(table.out, /^JOB +STATE +EPOCH .*\ncounting +running +\d+ /)
  })

  it('suspends, resumes and cancels', async () => {
    const file = node.file('suspends.txt')
    await node.submit('counting', '--', file)
    assert.equal((await node.run('suspend', 'counting')).out, "job 'counting' is suspended\n")
    const rested = await demandSums(file)
    assert.equal((await node.job('counting'))?.state, 'suspended')
    assert.equal((await node.run('resume', 'counting')).out, "job 'counting' is running\n")
    await until(async () => (await demandSums(file)) > rested + 20)
    assert.equal((await node.run('cancel', 'counting', '--keep')).status, 0)
    assert.equal((await node.run('list')).out, 'the node has no jobs\n')
    const before = await demandSums(file)
    await node.submit('counting', '--', file)
    await until(async () => (await demandSums(file)) > before + 20)
  })

  it('brings jobs back after kill -9, each as it was, and no result is lost or there twice', async () => {
    const [going, resting] = [node.file('going.txt'), node.file('resting.txt')]
    await node.submit('counting', '--', going)
    await node.submit('counting', '--name', 'other', '--', resting)
    await until(async () => (await demandSums(resting)) > 20)
    await node.run('suspend', 'other')
    for (let round = 0; round < 2; round++) {
      const before = await demandSums(going)
      await until(async () => (await demandSums(going)) > before + 20)
      await node.end('SIGKILL')
      await node.start('--max-jobs', '2', '--restarts', '2')
    }
    assert.match(node.output, /; 2 jobs are back/)
    const [before, rested] = [await demandSums(going), await demandSums(resting)]
    await until(async () => (await demandSums(going)) > before + 20)
    assert.equal((await node.job('other'))?.state, 'suspended')
    assert.equal(await demandSums(resting), rested)
    await node.run('resume', 'other')
    await until(async () => (await demandSums(resting)) > rested + 20)
  })

  it('stops with a checkpoint of each job on SIGTERM', async () => {
    const file = node.file('stops.txt')
    await node.submit('counting', '--', file)
    await until(async () => (await demandSums(file)) > 20)
    assert.equal(await node.end('SIGTERM'), 0)
    const before = await demandSums(file)
    await node.start('--max-jobs', '2', '--restarts', '2')
    await until(async () => (await demandSums(file)) > before + 20)
  })

  it('starts a job again whose process crashes, and gives it up in the end; the others go on', async () => {
    const file = node.file('crashes.txt')
    await node.submit('counting', '--', file)
    await node.submit('crashing', '--', '2500')
    await until(async () => (await node.job('crashing'))?.state === 'failed')
    const crashed = await node.job('crashing')
    assert.equal(crashed?.restarts, 2)
    assert.match(crashed?.problem ?? '', /its process was ended by SIGSEGV/)
    assert.match((await node.run('logs', 'crashing')).out, /SIGSEGV; it starts again in 0.5 s/)
    const before = await demandSums(file)
    await until(async () => (await demandSums(file)) > before + 20)
    assert.equal((await node.job('counting'))?.restarts, 0)
    const refused = await node.run('suspend', 'crashing')
    assert.match(refused.problems, /job 'crashing' has failed: suspend is of no use any more \[ERR_JOB_NODE_JOB\]/)
  })

  it('lets a job end, which makes room', async () => {
    const file = node.file('ends.txt')
    const { out } = await node.submit('finishing', '--', file)
    assert.match(out, /^job 'finishing' (is running|has completed)\n$/)
    await until(async () => (await node.job('finishing'))?.state === 'completed')
    assert.equal(await readFile(file, 'utf8'), 'a\nb\nc\n')
    await node.submit('counting', '--', node.file('room.txt'))
    assert.equal((await node.submit('counting', '--name', 'other', '--', node.file('more.txt'))).status, 0)
  })
})
