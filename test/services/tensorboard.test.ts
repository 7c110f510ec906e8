import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from '../../lib/graph'
import { metricsOf } from '../../lib/graph/metrics'
import { PythonPool } from '../../lib/index'
import { basePython, pythonWith } from '../fixtures/python'
import { temporaryFolder } from '../fixtures/temporary'
import { TRAIN } from '../fixtures/tuner'

function cli(...args: string[]) {
  const bin = join(__dirname, '..', '..', 'lib', 'cli', 'bin.ts')
  const child = spawn(process.execPath, ['--import=tsx', bin, 'tensorboard', ...args])
  const output = { text: '' }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output.text += data))
  return { child, output }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50))
}

describe('TensorBoard', function () {
  this.timeout(180_000)
  let pool: PythonPool
  let python: string
  before(async function () {
    this.timeout(300_000)
    python = await pythonWith('tensorboard')
    pool = await PythonPool.open({ python, isolation: 'shared', size: 2 })
  })
  after(() => pool.close())

  it('shows what the chosen nodes of runs have written to ALGO_METRICS_DIR', async () => {
    await using folder = await temporaryFolder()
    const train = pipeline({
      name: 'train',
      pool,
      store: folder.path,
      algorithms: { train: { python: { source: TRAIN, function: 'start' } } },
      nodes: [
        { nodeName: 'red', algorithmName: 'train' },
        { nodeName: 'green', algorithmName: 'train', input: ['nested'] },
        { nodeName: 'blue', algorithmName: 'train', input: ['#[1, 2]'] },
      ],
    })
    const { results } = await train.run({ id: 'first' })
    await train.run({ id: 'second' })
    const root = join(folder.path, 'metrics')
    assert.equal(results.red, join(root, 'first', 'red'))
    assert.deepEqual(
      results.blue,
      ['0', '1'].map((index) => join(root, 'first', 'blue', index)),
    )
    assert.ok(existsSync(results.red as string))
    const found = metricsOf(root).map(({ run, node }) => `${run} ${node}`)
    for (const one of ['first red', 'first green', 'first blue', 'first train', 'second red'])
      assert.ok(found.includes(one))

    const listed = cli('--store', folder.path, '--node', 'red', '--list')
    assert.equal((await once(listed.child, 'close'))[0], 0)
    assert.match(listed.output.text, /first +red .*\nsecond +red /)

    const { child, output } = cli(
      '--store',
      folder.path,
      '--run',
      'first',
      '--node',
      'red',
      '--node',
      'blue',
      '--port',
      '0',
      '--python',
      python,
    )
    try {
      await until(() => /http:\/\/[\w.]+:\d+/.test(output.text) || child.exitCode !== null)
      const url = /http:\/\/[\w.]+:\d+/.exec(output.text)?.[0]
      assert.ok(url, output.text)
      let runs: string[] = []
      await until(async () => {
        runs = (await (await fetch(`${url}/data/runs`)).json()) as string[]
        return runs.length === 3
      })
      assert.deepEqual(runs.sort(), ['first/blue/0', 'first/blue/1', 'first/red'])
      const scalars = await fetch(`${url}/data/plugin/scalars/scalars?tag=loss&run=${encodeURIComponent('first/red')}`)
      assert.equal(((await scalars.json()) as unknown[]).length, 5)
    } finally {
      child.kill('SIGINT')
    }
    assert.equal((await once(child, 'close'))[0], 0)
  })

  it('that is missing is an error with the package to install; so is a node that there is none of', async () => {
    await using folder = await temporaryFolder()
    const train = pipeline({
      name: 'train',
      pool,
      store: folder.path,
      nodes: [{ nodeName: 'red', algorithm: { python: { source: TRAIN } } }],
    })
    await train.run({ id: 'first' })
    const plain = (await basePython()).executable
    const missing = cli('--store', folder.path, '--python', plain)
    assert.equal((await once(missing.child, 'close'))[0], 1)
    assert.match(missing.output.text, /package tensorboard is missing.*-m pip install tensorboard/)
    const wrong = cli('--store', folder.path, '--node', 'reed')
    assert.equal((await once(wrong.child, 'close'))[0], 2)
    assert.match(wrong.output.text, /no such run or node; there are: first red/)
  })
})
