import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type NodeError, PythonError } from '../../lib'
import { type GraphOptions, graph, pipeline, type RunningGraph } from '../../lib/graph'
import { compareStream, streamCase } from '../fixtures/graph/random'
import { inEachMode, withPool } from '../fixtures/modes'
import { testPython } from '../fixtures/python'

const SORT = `
seen = []
api = None

def start(args, hkubeapi):
    global api
    api = hkubeapi

def onMessage(msg, origin):
    seen.append(origin)
    if msg % 2 == 1:
        api.sendMessage(msg, "analyze")
    else:
        api.sendMessage([msg, len(seen)])

def stop():
    seen.clear()
`
const plus = (text: string) => `
def start(args, api):
    return [args["streamInput"]["message"], args["streamInput"]["origin"], "${text}"]
`
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

async function collect(options: GraphOptions, watch?: (running: RunningGraph) => void) {
  const running = await graph(options).start()
  const found: Record<string, unknown[]> = {}
  running.output.subscribe({
    next: ({ nodeName, message }) => {
      found[nodeName] ??= []
      found[nodeName].push(message)
    },
    error: () => {},
  })
  watch?.(running)
  await running.done
  return { found, metrics: running.metrics() }
}

inEachMode('streaming graphs in Python', (test) => {
  it('hand messages on to each other, and to JavaScript', async () => {
    const { found, metrics } = await collect({
      name: 'tweets',
      pool: test.pool,
      nodes: [
        { nodeName: 'twitt', source: numbers(1000) },
        { nodeName: 'sort', algorithm: { python: plus('s') } },
        { nodeName: 'A', algorithm: ({ streamInput: { message } }) => message },
        { nodeName: 'B', algorithm: { python: plus('B') } },
      ],
      flows: { analyze: 'sort >> A', master: 'twitt >> sort >> B & A' },
      defaultFlow: 'master',
    })
    assert.deepEqual(
      found.B,
      numbers(1000).map((n) => [[n, 'twitt', 's'], 'sort', 'B']),
    )
    assert.deepEqual(
      found.A,
      numbers(1000).map((n) => [n, 'twitt', 's']),
    )
    assert.equal(metrics.sort!.received, 1000)
  })
})

withPool('streaming graphs with state in Python', (test) => {
  it('random graphs with nodes in both languages give what a naive reference does', () =>
    fc.assert(
      fc.asyncProperty(streamCase, async (one) =>
        assert.equal(await compareStream({ graph, pipeline }, one, test.pool), undefined),
      ),
      { numRuns: 20 },
    ))

  it('the documentation: start, onMessage(msg, origin), sendMessage(msg, flowName)', async () => {
    const { found, metrics } = await collect({
      name: 'tweets',
      pool: test.pool,
      nodes: [
        { nodeName: 'twitt', source: numbers(10) },
        { nodeName: 'sort', algorithm: { python: SORT }, stateType: 'stateful' },
        { nodeName: 'A', algorithm: { python: plus('A') } },
        { nodeName: 'B', algorithm: { python: plus('B') } },
      ],
      flows: { analyze: 'sort>>A', master: 'twitt >>sort>>B' },
      defaultFlow: 'master',
    })
    assert.deepEqual(
      found.B,
      numbers(5).map((n) => [[2 * n, 2 * n + 1], 'sort', 'B']),
    )
    assert.deepEqual(
      found.A,
      numbers(5).map((n) => [2 * n + 1, 'sort', 'A']),
    )
    assert.deepEqual(
      Object.values(metrics).map(({ received }) => received),
      [10, 10, 5, 5],
    )
  })

  it('a source in Python sends until its start returns; a listener may be registered', async () => {
    const source = `
def start(args, api):
    for n in range(args["input"][0]):
        api.sendMessage({"n": n})
`
    const listener = `
def start(args, api):
    total = 0
    def heard(msg, origin):
        nonlocal total
        total += msg["n"]
        api.sendMessage(total)
    api.registerInputListener(onMessage=heard)
    api.startMessageListening()
    import time
    while api.isListeningToMessages():
        time.sleep(0.01)
`
    const { found } = await collect({
      name: 'source',
      poolOptions: { python: await testPython() },
      pool: test.pool,
      capacity: 4,
      nodes: [
        { nodeName: 'make', algorithm: { python: source }, stateType: 'stateful', input: [20] },
        { nodeName: 'sum', algorithm: { python: listener }, stateType: 'stateful' },
      ],
      flows: { main: 'make >> sum' },
    })
    let total = 0
    assert.deepEqual(
      found.sum,
      numbers(20).map((n) => {
        total += n
        return total
      }),
    )
  })

  it('a start that raises ends the graph, and what waits for it', async () => {
    const broken = 'def start(args, api):\n    raise OSError("no model")\ndef onMessage(msg, origin): pass\n'
    const options: GraphOptions = {
      name: 'broken',
      poolOptions: { python: await testPython() },
      nodes: [
        { nodeName: 'in', source: numbers(3) },
        { nodeName: 'model', algorithm: { python: broken }, stateType: 'stateful' },
      ],
      flows: { main: 'in >> model' },
    }
    await assert.rejects(collect(options), /'broken', node 'model': OSError: no model/)
  })

  it('what Python raises is told with the node, and the other messages go on', async () => {
    const errors: NodeError[] = []
    const bad = `
def start(args, api):
    if args["streamInput"]["message"] == 3:
        raise ValueError("three")
    api.sendMessage(args["streamInput"]["message"], "nowhere" if args["streamInput"]["message"] == 4 else None)
`
    const { found, metrics } = await collect(
      {
        name: 'failing',
        pool: test.pool,
        nodes: [
          { nodeName: 'in', source: numbers(6) },
          { nodeName: 'bad', algorithm: { python: bad } },
          { nodeName: 'last', algorithm: { python: 'def start(args, api): return args["streamInput"]["message"]' } },
        ],
        flows: { main: 'in >> bad >> last' },
        onError: 'skip',
      },
      (running) => running.errors.subscribe((error) => errors.push(error)),
    )
    assert.deepEqual(found.last, [0, 1, 2, 5])
    assert.deepEqual(
      errors.map(({ nodeName, cause }) => [nodeName, (cause as PythonError).pythonType]),
      [
        ['bad', 'ValueError'],
        ['bad', 'rxjs_python._stream.FlowError'],
      ],
    )
    assert.match(errors[1]!.message, /there is no flow 'nowhere'; there are 'main'/)
    assert.equal(metrics.bad!.failed, 2)
    assert.ok(errors[0]!.cause instanceof PythonError)
  })
})
