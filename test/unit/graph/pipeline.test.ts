import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { GraphRunError, NodeError, PythonAbortError } from '../../../lib'
import { type GraphApi, type NodeHooks, type Progress, pipeline } from '../../../lib/graph'
import { failsWith } from '../../fixtures/failures'

const add = ({ input }: { input: unknown[] }) => (input as number[]).reduce((sum, one) => sum + one, 0)
const same = ({ input }: { input: unknown[] }) => input[0]

describe('batch pipelines', () => {
  it('give each node what its input refers to', async () => {
    const { results, output } = await pipeline({
      name: 'refers',
      nodes: [
        { nodeName: 'second', algorithm: add, input: ['@first.sums.0', 1] },
        { nodeName: 'first', algorithm: () => ({ sums: [20] }), input: [] },
        { nodeName: 'third', algorithm: same, input: [{ a: ['@second'], 'x.y': '@flowInput.list', text: '@@first' }] },
      ],
    }).run({ flowInput: { list: [1] } })
    assert.deepEqual(results, {
      first: { sums: [20] },
      second: 21,
      third: { a: [21], 'x.y': [1], text: '@first' },
    })
    assert.deepEqual(output, { third: results.third })
  })

  it('fan out with #@, and gather in the order of the items', async () => {
    const { results, nodes } = await pipeline({
      name: 'fan',
      nodes: [
        { nodeName: 'list', algorithm: () => [3, 1, 2] },
        {
          nodeName: 'each',
          algorithm: async ({ input, batchIndex }) => {
            await pause((input[0] as number) * 3)
            return [input[0], batchIndex]
          },
          input: ['#@list'],
        },
        { nodeName: 'all', algorithm: same, input: ['@each'] },
        { nodeName: 'none', algorithm: same, input: ['#[]'] },
      ],
    }).run()
    assert.deepEqual(results.all, [
      [3, 0],
      [1, 1],
      [2, 2],
    ])
    assert.deepEqual(results.none, [])
    assert.equal(nodes.each!.tasks, 3)
  })

  it('fan out widely, and start many algorithms at a time, with no warning of Node', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => void warnings.push(warning)
    process.on('warning', listen)
    try {
      const algorithm = ({ input }: { input: unknown[] }, api: GraphApi) =>
        Promise.all(Array.from({ length: 20 }, () => api.startAlgorithm('same', [...input])))
      const { results } = await pipeline({
        name: 'many',
        nodes: [{ nodeName: 'each', algorithm, input: ['#@flowInput'] }],
        algorithms: { same: async (args) => pause(1, same(args)) },
        options: { concurrency: 30 },
      }).run({ flowInput: Array.from({ length: 60 }, (_, at) => at) })
      assert.deepEqual((results.each as unknown[][])[59], new Array(20).fill(59))
      await pause(1)
      assert.deepEqual(warnings, [])
    } finally {
      process.off('warning', listen)
    }
  })

  it('fan out over several lists, item by item or each with each', async () => {
    const { results } = await pipeline({
      name: 'lists',
      nodes: [
        { nodeName: 'indexed', algorithm: add, input: ['#[1, 2]', '#@flowInput'] },
        { nodeName: 'cartesian', batchOperation: 'cartesian', algorithm: add, input: ['#[1, 2]', '#@flowInput'] },
      ],
    }).run({ flowInput: [10, 20] })
    assert.deepEqual(results, { indexed: [11, 22], cartesian: [11, 21, 12, 22] })
  })

  it('the output node is what its input is', async () => {
    const { output } = await pipeline({
      name: 'output',
      nodes: [
        { nodeName: 'one', algorithm: () => 1 },
        { nodeName: 'two', algorithm: add, input: ['@one', 1] },
        { nodeName: 'out', kind: 'output', input: ['@one', { two: '@two' }] },
      ],
    }).run()
    assert.deepEqual(output, [1, { two: 2 }])
  })

  it('independent nodes run at a time, and limits hold', async () => {
    let running = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++running)
      await pause(5)
      running--
    }
    const mostOf = async (options: object, node: object = {}, algorithm: object = {}) => {
      most = 0
      await pipeline({
        name: 'limits',
        nodes: [
          { nodeName: 'a', algorithmName: 'work', input: ['#[1, 2, 3, 4]'], ...node },
          { nodeName: 'b', algorithmName: 'work' },
        ],
        algorithms: { work: { start: work, ...algorithm } },
        options,
      }).run()
      return most
    }
    assert.equal(await mostOf({}), 5)
    assert.equal(await mostOf({ concurrency: 2 }), 2)
    assert.equal(await mostOf({}, { concurrency: 2 }), 3)
    assert.equal(await mostOf({}, {}, { concurrency: 1 }), 1)
  })

  it('tolerate failures below batchTolerance, and leave their results out', async () => {
    const odd = ({ input }: { input: unknown[] }) => {
      if ((input[0] as number) % 2 === 1) throw new Error(`${input[0]} is odd`)
      return input[0]
    }
    const run = (list: number[], batchTolerance: number | string) =>
      pipeline({
        name: 'tolerant',
        nodes: [
          { nodeName: 'odd', algorithm: odd, input: ['#@flowInput'] },
          { nodeName: 'after', algorithm: same, input: ['@odd'] },
        ],
        options: { batchTolerance },
      }).run({ flowInput: list })
    const { results, nodes } = await run([1, 2, 4, 6], '26')
    assert.deepEqual(results, { odd: [2, 4, 6], after: [2, 4, 6] })
    assert.deepEqual(nodes.odd!.failures, [{ batchIndex: 0, error: '1 is odd' }])
    const error = await failsWith(run([2, 1, 4, 6], 25), NodeError, 'ERR_NODE')
    assert.equal(error.message, "pipeline 'tolerant', node 'odd', task 1: 1 of 4 tasks failed: 1 is odd")
    assert.deepEqual([error.nodeName, error.batchIndex], ['odd', 1])
    await failsWith(run([1, 2, 2, 2, 2, 2], 0), NodeError, 'ERR_NODE')
    assert.deepEqual((await run([2], 0)).results.odd, [2])
    await failsWith(run([1, 3], 100), NodeError, 'ERR_NODE')
  })

  it('a failure ends the run: what runs is aborted, what waits does not begin', async () => {
    let aborted = false
    let began = false
    const run = pipeline({
      name: 'failing',
      nodes: [
        {
          nodeName: 'slow',
          algorithm: (_args, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                aborted = true
                reject(signal.reason)
              })
            }),
        },
        { nodeName: 'bad', algorithm: () => Promise.reject(new RangeError('no')) },
        {
          nodeName: 'after',
          algorithm: () => {
            began = true
          },
          input: ['@bad'],
        },
      ],
    }).start()
    const error = await failsWith(run.done, NodeError, 'ERR_NODE')
    assert.equal((error.cause as Error).name, 'RangeError')
    assert.deepEqual([aborted, began, run.state], [true, false, 'failed'])
    assert.deepEqual(
      Object.values(run.nodes).map(({ state }) => state),
      ['cancelled', 'failed', 'cancelled'],
    )
  })

  it('an input that is not there is the failure of its node', async () => {
    const run = (input: unknown[]) =>
      pipeline({ name: 'missing', nodes: [{ nodeName: 'x', algorithm: same, input }] }).run({ flowInput: { a: {} } })
    const error = await failsWith(run(['@flowInput.a.b']), NodeError, 'ERR_NODE')
    assert.match(error.message, /node 'x': input\[0\]: there is no 'b' in '@flowInput.a.b'/)
    await failsWith(run(['#@flowInput.a']), NodeError, 'ERR_NODE')
    await failsWith(run(['#[1]', '#[1, 2]']), NodeError, 'ERR_NODE')
  })

  it('tasks are run again where they may be', async () => {
    let runs = 0
    const { results } = await pipeline({
      name: 'again',
      nodes: [
        {
          nodeName: 'shaky',
          retries: 2,
          algorithm: () => {
            if (++runs < 3) throw new Error('not yet')
            return runs
          },
        },
      ],
    }).run()
    assert.equal(results.shaky, 3)
  })

  it('time to live: of a run, and of a node', async () => {
    const never = () => new Promise(() => {})
    const run = (node: object, options: object) =>
      pipeline({ name: 'long', nodes: [{ nodeName: 'never', algorithm: never, ...node }], options }).run()
    const whole = await failsWith(run({}, { ttl: '0.02' }), GraphRunError, 'ERR_RUN_TIMEOUT')
    assert.match(whole.message, /of pipeline 'long' took longer than 20 ms/)
    const error = await failsWith(run({ ttl: 0.02 }, {}), NodeError, 'ERR_NODE')
    assert.equal((error.cause as GraphRunError).code, 'ERR_RUN_TIMEOUT')
  })

  it('concurrentPipelines: a further run waits, or is rejected', async () => {
    let running = 0
    let most = 0
    const make = (rejectOnFailure: string) =>
      pipeline({
        name: 'few',
        nodes: [
          {
            nodeName: 'x',
            algorithm: async () => {
              most = Math.max(most, ++running)
              await pause(10)
              running--
            },
          },
        ],
        options: { concurrentPipelines: { amount: '2', rejectOnFailure } },
      })
    const waiting = make('false')
    await Promise.all([waiting.run(), waiting.run(), waiting.run()])
    assert.equal(most, 2)
    const rejecting = make('true')
    const runs = [rejecting.run(), rejecting.run(), rejecting.run()]
    await failsWith(runs[2]!, GraphRunError, 'ERR_RUN_REJECTED')
    await Promise.all(runs.slice(0, 2))
    await rejecting.run()
  })

  it('progress, at the level that is asked for', async () => {
    const tell = async (progressVerbosityLevel: 'info' | 'debug' | 'error') => {
      const told: Progress[] = []
      const run = pipeline({
        name: 'told',
        nodes: [{ nodeName: 'x', algorithm: same, input: ['#[1, 2]'] }],
        options: { progressVerbosityLevel },
      }).start()
      run.progress.subscribe((one) => told.push(one))
      await run.done
      return told
    }
    const told = await tell('info')
    assert.deepEqual(
      told.map(({ percent, details }) => `${percent} ${details}`),
      ['0 the run has begun', "0 node 'x' has begun: 2 tasks", "100 node 'x' is done", '100 the run is done'],
    )
    assert.equal((await tell('debug')).filter(({ level }) => level === 'debug').length, 2)
    assert.deepEqual(await tell('error'), [])
  })

  it('cancel() and signal end a run with ERR_ABORTED', async () => {
    const never = pipeline({ name: 'never', nodes: [{ nodeName: 'x', algorithm: () => new Promise(() => {}) }] })
    const run = never.start()
    run.cancel('enough')
    const error = await failsWith(run.done, PythonAbortError, 'ERR_ABORTED')
    assert.deepEqual([error.cause, run.state], ['enough', 'cancelled'])
    const controller = new AbortController()
    const other = never.run({ signal: controller.signal })
    controller.abort()
    await failsWith(other, PythonAbortError, 'ERR_ABORTED')
  })

  it('hooks: an environment, and something around each execution', async () => {
    const log: string[] = []
    const hook = (name: string): NodeHooks => ({
      fields: [name],
      check: (node) => (node[name] === 'bad' ? [`'${name}' is bad`] : []),
      environment: ({ args }) => ({ [name]: args.nodeName, WHO: name }),
      around: async (_task, next) => {
        log.push(`> ${name}`)
        const result = await next()
        log.push(`< ${name}`)
        return [name, result]
      },
    })
    const hooks = [hook('one'), hook('two')]
    const seen = (_: unknown, { env: { ALGO_METRICS_DIR: folder, ...env } }: GraphApi) => {
      assert.match(folder!, /metrics.*hooked.*x$/)
      return env
    }
    const nodes = [{ nodeName: 'x', algorithm: seen, one: 'good' }]
    const { results } = await pipeline({ name: 'hooked', nodes, hooks }).run()
    assert.deepEqual(results.x, ['one', ['two', { one: 'x', two: 'x', WHO: 'two' }]])
    assert.deepEqual(log, ['> one', '> two', '< two', '< one'])
    assert.throws(() => pipeline({ name: 'hooked', nodes: [{ ...nodes[0]!, one: 'bad' }], hooks }), /'one' is bad/)
  })
})
