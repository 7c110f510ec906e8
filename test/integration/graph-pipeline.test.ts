import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NodeError, OptionError, type PythonError } from '../../lib'
import { pipeline } from '../../lib/graph'
import { failsWith } from '../fixtures/failures'
import { CODE_API_RESULTS, codeApi, NODE_RESULTS, start } from '../fixtures/graph/codeApi'
import { inEachMode, withPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

const DEEP = `
def start(args, api):
    depth = args["input"][0]
    if depth == 0:
        return [args["nodeName"]]
    if depth % 3 == 0:
        return api.start_stored_subpipeline("deeper", depth - 1)["deep"] + [depth]
    futures = [api.start_algorithm("deep", [depth - 1], blocking=False) for _ in range(2)]
    return futures[0].result() + futures[1].result()[:0] + [depth]
`

inEachMode('algorithms in Python', (test) => {
  it('start algorithms and pipelines inside each other, and none waits for a place that another holds', async () => {
    const deep = (name: string, nodeName: string, input: string) => ({
      name,
      nodes: [{ nodeName, algorithmName: 'deep', input: [input] }],
      options: { concurrency: 1, concurrentPipelines: { amount: 1 } },
    })
    const { output } = await pipeline({
      ...deep('deep', 'deep', '#@flowInput'),
      pool: test.pool,
      algorithms: { deep: { python: DEEP, concurrency: 1 } },
      pipelines: { deeper: deep('deeper', 'deep', '@flowInput') },
    }).run({ flowInput: [5, 4, 0, 5] })
    const five = ['deep', 1, 2, 3, 4, 5]
    assert.deepEqual(output, { deep: [five, five.slice(0, -1), ['deep'], five] })
  })
})

withPool('pipelines with Python', (test) => {
  it("the documentation's examples give what they ask for", async () => {
    const examples = [
      [codeApi(test.pool), CODE_API_RESULTS],
      [codeApi(test.pool, { start }), NODE_RESULTS],
    ] as const
    for (const [options, expected] of examples) {
      const documented = pipeline(options)
      for (const [action, result] of Object.entries(expected)) {
        assert.deepEqual((await documented.run({ flowInput: { action } })).results.api, result, action)
      }
    }
  })

  it('files and modules have their function start; the environment is that of the hooks', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'algorithm.py')
    await writeFile(
      file,
      'import os\ndef start(args, api):\n    return [os.environ.get("WHERE"), api.env["WHERE"], args["jobId"]]\n',
    )
    const { results } = await pipeline({
      name: 'file',
      pool: test.pool,
      nodes: [
        { nodeName: 'first', algorithm: { python: file } },
        {
          nodeName: 'second',
          algorithm: { python: 'import os\ndef start(a, b): return os.environ.get("WHERE")' },
          input: ['@first'],
        },
      ],
      hooks: {
        environment: ({ node }): Record<string, string> => (node.nodeName === 'first' ? { WHERE: 'here' } : {}),
      },
    }).run({ id: 'job-1' })
    assert.deepEqual(results, { first: ['here', 'here', 'job-1'], second: null })
  })

  it('a file whose code has changed is run again, one that has not is not', async () => {
    await using folder = await temporaryFolder()
    const run = async (name: string, text: string) => {
      const file = join(folder.path, name)
      await writeFile(file, text)
      const nodes = [{ nodeName: 'x', algorithm: { python: file }, input: [1] }]
      await using made = pipeline({ name: 'file', pool: test.pool, nodes, store: folder.path, cache: true })
      const { results, nodes: reports } = await made.run()
      return [results.x, reports.x!.cached]
    }
    const one = 'def start(args, api):\n    return "one"\n'
    assert.deepEqual(await run('a.py', one), ['one', false])
    assert.deepEqual(await run('a.py', one), ['one', true])
    assert.deepEqual(await run('same.py', one), ['one', true])
    assert.deepEqual(await run('b.py', one.replace('one', 'two')), ['two', false])
  })

  it('what Python raises is the cause of the failure, also from inside', async () => {
    const run = (source: string) =>
      pipeline({
        name: 'raising',
        pool: test.pool,
        nodes: [{ nodeName: 'x', algorithm: { python: source } }],
        algorithms: { bad: { python: 'def start(args, api):\n    raise KeyError("k")' } },
      }).run()
    const error = await failsWith(run('def start(args, api):\n    raise ValueError("v")'), NodeError, 'ERR_NODE')
    assert.match(error.message, /pipeline 'raising', node 'x': .*ValueError: v/)
    assert.equal((error.cause as PythonError).pythonType, 'ValueError')
    const inner = await failsWith(run('def start(args, api):\n    api.start_algorithm("bad")'), NodeError, 'ERR_NODE')
    assert.match((inner.cause as PythonError).pythonTraceback, /KeyError/)
    const unknown =
      'def start(args, api):\n    api.start_raw_subpipeline("r", [{"nodeName": "x", "algorithmName": "badd"}])'
    const problems = await failsWith(run(unknown), NodeError, 'ERR_NODE')
    assert.match(problems.message, /pipeline 'r', node 'x': there is no algorithm 'badd'; did you mean 'bad'\?/)
  })

  it('a run that is cancelled interrupts Python', async () => {
    const source = 'import time\ndef start(args, api):\n    while True: time.sleep(0.01)'
    const run = pipeline({
      name: 'endless',
      pool: test.pool,
      nodes: [{ nodeName: 'x', algorithm: { python: source } }],
    }).start()
    setTimeout(() => run.cancel(), 50)
    await assert.rejects(run.done, { code: 'ERR_ABORTED' })
    const next = pipeline({
      name: 'next',
      pool: test.pool,
      nodes: [{ nodeName: 'x', algorithm: { python: 'def start(a, b): return 1' } }],
    })
    assert.deepEqual((await next.run()).output, { x: 1 })
    assert.throws(() => next.start({ from: 'y' }), OptionError)
  })
})
