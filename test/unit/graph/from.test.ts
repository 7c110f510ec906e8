import assert from 'node:assert/strict'
import { main } from '../../../lib/cli/main'
import { type AlgorithmStart, type NodeSpec, type PipelineOptions, pipeline } from '../../../lib/graph'
import { temporaryFolder } from '../../fixtures/temporary'

/** The documentation's picture: red, green, yellow, black; what each ran with is counted. */
function colours(store: string, more: Partial<PipelineOptions> = {}, yellow?: AlgorithmStart) {
  const counts: Record<string, number> = {}
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1
  }
  const nodes: NodeSpec[] = [
    {
      nodeName: 'red',
      algorithm: ({ input: [list] }) => {
        count('red')
        return list
      },
      input: ['@flowInput.list'],
    },
    {
      nodeName: 'green',
      algorithm: ({ input: [one] }) => {
        count('green')
        return (one as number) * 2
      },
      input: ['#@red'],
    },
    {
      nodeName: 'yellow',
      algorithm:
        yellow ??
        (({ input: [all] }) => {
          count('yellow')
          return (all as number[]).length
        }),
      input: ['@green'],
    },
    {
      nodeName: 'black',
      algorithm: ({ input: [one] }) => {
        count('black')
        return `${one}!`
      },
      input: ['@yellow'],
    },
  ]
  return { made: pipeline({ name: 'colours', nodes, store, ...more }), counts }
}

describe('run({ from })', () => {
  it('takes the predecessors from the store, with the input of the last run, and gives the same result', async () => {
    await using folder = await temporaryFolder()
    const first = colours(folder.path)
    const whole = await first.made.run({ flowInput: { list: [1, 2, 3] } })
    await first.made.close()
    const second = colours(folder.path)
    await using made = second.made
    const again = await made.run({ from: 'yellow' })
    assert.deepEqual(second.counts, { yellow: 1, black: 1 })
    assert.deepEqual(again.results, whole.results)
    assert.deepEqual(
      Object.values(again.nodes).map(({ cached }) => cached),
      [true, true, false, false],
    )
    const listed = made.runs()
    assert.deepEqual(
      listed.map(({ from, state, flowInput }) => [from, state, flowInput]),
      [
        ['yellow', 'completed', { list: [1, 2, 3] }],
        [undefined, 'completed', { list: [1, 2, 3] }],
      ],
    )
  })

  it('runs those whose code or input has changed, and what follows from the node also where nothing has', async () => {
    await using folder = await temporaryFolder()
    const { made, counts } = colours(folder.path)
    await using _closed = made
    await made.run({ flowInput: { list: [1] } })
    await made.run({ from: 'yellow', flowInput: { list: [1, 2] } })
    assert.deepEqual(counts, { red: 2, green: 3, yellow: 2, black: 2 })
    await made.run({ from: 'black' })
    assert.deepEqual(counts, { red: 2, green: 3, yellow: 2, black: 3 })
    const changed = colours(folder.path, {}, () => 7)
    await using _other = changed.made
    const { results } = await changed.made.run({ from: 'black' })
    assert.deepEqual([changed.counts, results.black], [{ black: 1 }, '7!'])
  })

  it('a failed node is not stored; what came before it is', async () => {
    await using folder = await temporaryFolder()
    const broken = colours(folder.path, {}, () => Promise.reject(new Error('broken')))
    await assert.rejects(broken.made.run({ flowInput: { list: [4] } }))
    assert.equal(broken.made.runs()[0]!.state, 'failed')
    await broken.made.close()
    const mended = colours(folder.path)
    await using made = mended.made
    assert.equal((await made.run({ from: 'yellow' })).results.black, '1!')
    assert.deepEqual(mended.counts, { yellow: 1, black: 1 })
  })

  it('cache: true takes every result whose code and input are as they were; cache: false of a node does not', async () => {
    await using folder = await temporaryFolder()
    const { made, counts } = colours(folder.path, { cache: true })
    await using _closed = made
    for (let round = 0; round < 3; round++) await made.run({ flowInput: { list: [1, 2] } })
    assert.deepEqual(counts, { red: 1, green: 2, yellow: 1, black: 1 })
    let runs = 0
    const nodes = [{ nodeName: 'x', cache: false, algorithm: () => ++runs }]
    await using never = pipeline({ name: 'never', nodes, cache: true, store: folder.path })
    await never.run()
    await never.run()
    assert.equal(runs, 2)
  })

  it('results that are no data are not stored', async () => {
    await using folder = await temporaryFolder()
    let runs = 0
    const algorithm = () => {
      runs++
      return () => runs
    }
    await using made = pipeline({ name: 'fn', nodes: [{ nodeName: 'x', algorithm }], cache: true, store: folder.path })
    await made.run()
    await made.run()
    assert.equal(runs, 2)
  })

  it('rxjs-python runs lists runs, and shows one', async () => {
    await using folder = await temporaryFolder()
    const { made } = colours(folder.path)
    await made.run({ id: 'first', flowInput: { list: [1, 2] } })
    await made.run({ id: 'second', from: 'black' })
    await made.close()
    const printed: string[] = []
    const run = (...args: string[]) => {
      printed.length = 0
      return main(['runs', ...args], { print: (text) => printed.push(text), complain: (text) => printed.push(text) })
    }
    assert.equal(await run('--store', folder.path), 0)
    const lines = printed.join('\n').split('\n')
    assert.match(lines[1]!, /^second +colours +completed .* 3 from the store +from black$/)
    assert.match(lines[2]!, /^first +colours +completed /)
    assert.equal(await run('first', '--store', folder.path), 0)
    assert.match(printed.join('\n'), /\ngreen +green +completed +2 of 2 tasks/)
    assert.equal(await run('--store', folder.path, '--json', '--last', '1'), 0)
    assert.equal((JSON.parse(printed[0]!) as { id: string }[])[0]!.id, 'second')
    assert.equal(await run('third', '--store', folder.path), 2)
    assert.equal(await run(), 2)
    assert.equal(await run('--store', `${folder.path}/nowhere`), 2)
  })
})
