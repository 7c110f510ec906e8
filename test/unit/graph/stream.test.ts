import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { from, Subject, throwError } from 'rxjs'
import { GraphFlowError, NodeError, OptionError } from '../../../lib'
import { type GraphOptions, graph, type RunningGraph, type StreamApi, type StreamArgs } from '../../../lib/graph'
import { failsWith } from '../../fixtures/failures'

async function outputs(options: GraphOptions, feed?: (running: RunningGraph) => Promise<void>): Promise<unknown[]> {
  const running = await graph(options).start()
  const found: unknown[] = []
  running.output.subscribe({
    next: ({ nodeName, flowName, message }) => found.push(`${flowName} ${nodeName} ${message}`),
    error: () => {},
  })
  await feed?.(running)
  await running.done
  return found
}

const add =
  (text: string) =>
  ({ streamInput: { message } }: StreamArgs) =>
    `${message}${text}`

describe('streaming graphs', () => {
  it('send messages along the default flow, and end when the sources have', async () => {
    const found = await outputs({
      name: 'plain',
      nodes: [
        { nodeName: 'twitt', source: from(['a', 'b']) },
        { nodeName: 'sort', algorithm: add('s') },
        { nodeName: 'B', algorithm: async (args) => add('B')(args) },
      ],
      flows: { master: 'twitt >>sort>>B' },
    })
    assert.deepEqual(found, ['master B asB', 'master B bsB'])
  })

  it("the documentation's flows: a node sends some messages another way", async () => {
    const sort = {
      onMessage(message: unknown, origin: string) {
        assert.equal(origin, 'twitt')
        void this.api!.sendMessage(message, (message as number) % 2 === 1 ? 'analyze' : undefined)
      },
      start(_args: unknown, api: StreamApi) {
        this.api = api
      },
      api: undefined as StreamApi | undefined,
    }
    const found = await outputs({
      name: 'conditional',
      nodes: [
        { nodeName: 'twitt', source: [1, 2, 3] },
        { nodeName: 'sort', algorithm: sort, stateType: 'stateful' },
        { nodeName: 'A', algorithm: add('A') },
        { nodeName: 'B', algorithm: add('B') },
      ],
      flows: { analyze: 'sort>>A', master: 'twitt >>sort>>B' },
      defaultFlow: 'master',
    })
    assert.deepEqual(found.sort(), ['analyze A 1A', 'analyze A 3A', 'master B 2B'])
  })

  it('several nodes at one place, and several chains in a flow', async () => {
    const found = await outputs({
      name: 'wide',
      nodes: [
        { nodeName: 'in', source: ['x'] },
        ...['B', 'C', 'D', 'E'].map((name) => ({ nodeName: name, algorithm: add(name) })),
      ],
      flows: { main: 'in >> B & C >> D, in >> E' },
    })
    assert.deepEqual(found.sort(), ['main D xBD', 'main D xCD', 'main E xE'])
  })

  it('messages come from outside until end()', async () => {
    const found = await outputs(
      {
        name: 'outside',
        nodes: [{ nodeName: 'in' }, { nodeName: 'next', algorithm: add('!') }],
        flows: { one: 'in >> next' },
      },
      async (running) => {
        await running.send('in', 'a')
        await running.send('next', 'b')
        await failsWith(running.send('out', 1), GraphFlowError, 'ERR_FLOW')
        await failsWith(running.send('in', 1, 'two'), GraphFlowError, 'ERR_FLOW')
        await running.end()
      },
    )
    assert.deepEqual(found, ['one next a!', 'one next b!'])
  })

  it('keep the order of messages, also where several are at work', async () => {
    const found = await outputs({
      name: 'ordered',
      nodes: [
        { nodeName: 'in', source: Array.from({ length: 50 }, (_, i) => i) },
        {
          nodeName: 'wait',
          concurrency: 8,
          algorithm: ({ streamInput: { message } }) =>
            (message as number) % 3 === 0 ? message : pause((message as number) % 5).then(() => message),
        },
      ],
      flows: { main: 'in >> wait' },
    })
    assert.deepEqual(
      found,
      Array.from({ length: 50 }, (_, i) => `main wait ${i}`),
    )
  })

  it('hold their sources while they have many messages', async () => {
    let taken = 0
    let most = 0
    let handled = 0
    const found = await outputs({
      name: 'held',
      capacity: 10,
      nodes: [
        {
          nodeName: 'in',
          source: function* () {
            while (taken < 500) yield taken++
          },
        },
        {
          nodeName: 'slow',
          algorithm: async () => {
            most = Math.max(most, taken - handled)
            if (handled % 50 === 0) await pause(1)
            handled++
            return handled
          },
        },
      ],
      flows: { main: 'in >> slow' },
    })
    assert.equal(found.length, 500)
    assert.ok(most <= 12, `${most} were in the graph`)
  })

  it('a stateful node makes messages by itself, and waits for room', async () => {
    let sent = 0
    let most = 0
    let done = 0
    let stopped = false
    const found = await outputs({
      name: 'maker',
      capacity: 5,
      nodes: [
        {
          nodeName: 'make',
          stateType: 'stateful',
          algorithm: {
            async start({ input }, api) {
              for (; sent < (input[0] as number); sent++) await api.sendMessage(sent)
            },
            stop() {
              stopped = true
            },
          },
          input: [100],
        },
        {
          nodeName: 'take',
          algorithm: async () => {
            most = Math.max(most, sent - done)
            await Promise.resolve()
            return ++done
          },
        },
      ],
      flows: { main: 'make >> take' },
    })
    assert.equal(found.length, 100)
    assert.ok(stopped)
    assert.ok(most <= 7, `${most} were in the graph`)
  })

  it('a failure ends the graph, or is left out and told of', async () => {
    const options = (onError: 'error' | 'skip'): GraphOptions => ({
      name: 'failing',
      nodes: [
        { nodeName: 'in', source: [1, 2, 3] },
        {
          nodeName: 'odd',
          algorithm: ({ streamInput: { message } }) => {
            if (message === 2) throw new Error('two')
            return message
          },
        },
      ],
      flows: { main: 'in >> odd' },
      onError,
    })
    const error = await failsWith(outputs(options('error')), NodeError, 'ERR_NODE')
    assert.match(error.message, /'failing', node 'odd': two/)
    const errors: NodeError[] = []
    let metrics: unknown
    const found = await outputs(options('skip'), async (running) => {
      running.errors.subscribe((one) => errors.push(one))
      await running.done
      metrics = running.metrics().odd
    })
    assert.deepEqual(found, ['main odd 1', 'main odd 3'])
    assert.deepEqual([errors.length, metrics], [1, { received: 3, failed: 1, waiting: 0 }])
  })

  it('a source that fails, a flow that a node is not in, and stop()', async () => {
    const broken = { nodeName: 'in', source: throwError(() => new Error('gone')) }
    const next = { nodeName: 'next', algorithm: add('!') }
    await failsWith(outputs({ name: 'g', nodes: [broken, next], flows: { a: 'in >> next' } }), NodeError, 'ERR_NODE')
    const wrong = {
      nodeName: 'next',
      algorithm: (_args: StreamArgs, api: StreamApi) => api.sendMessage(1, 'b'),
    }
    const nodes = [{ nodeName: 'in', source: [1] }, wrong, { nodeName: 'other' }]
    const options = { name: 'g', nodes, flows: { a: 'in >> next', b: 'in >> other' }, defaultFlow: 'a' }
    const error = await failsWith(outputs(options), NodeError, 'ERR_NODE')
    assert.match(error.message, /node 'next' sends along flow 'b', which it is not in/)
    const subject = new Subject<unknown>()
    const found = await outputs(
      { name: 'g', nodes: [{ nodeName: 'in', source: subject }, next], flows: { a: 'in >> next' } },
      async (running) => {
        await pause(5)
        subject.next('x')
        await pause(5)
        await running.stop()
        assert.equal(subject.observed, false)
      },
    )
    assert.deepEqual(found, ['a next x!'])
  })
})

describe('a streaming graph that is wrong', () => {
  const algorithm = () => 1

  function problemsOf(options: unknown): readonly string[] {
    try {
      graph(options as GraphOptions)
    } catch (error) {
      assert.ok(error instanceof OptionError, String(error))
      return error.problems
    }
    return []
  }

  it('is told all its problems at once, each with its place', () => {
    const problems = problemsOf({
      name: 'wrong',
      nodes: [
        { nodeName: 'in', source: 7 },
        { nodeName: 'sort', algorithmName: 'srt' },
        { nodeName: 'A', algorithm, stateType: 'stateful', interpreters: { min: 1, max: 4 } },
        { nodeName: 'B', algorithm: { python: 'b.py' }, stateType: 'stateful', interpreters: 2 },
        { nodeName: 'lost', algorithm: { python: 'b.py' } },
      ],
      flows: { master: 'in >> sort >> Cat', round: 'A >> B >> A', none: ' ', short: 'in', gap: 'in >> >> B' },
      defaultFlow: 'main',
      algorithms: { sort: algorithm },
    })
    assert.deepEqual(problems, [
      "graph 'wrong', flow 'master': there is no node 'Cat'; there are 'in', 'sort', 'A', 'B', 'lost'",
      "graph 'wrong', flow 'round': a cycle: 'B' -> 'A' -> 'B'",
      "graph 'wrong', flow 'none': it names nothing: write 'first >> second'",
      "graph 'wrong', flow 'short': 'in' goes nowhere: write 'first >> second'",
      "graph 'wrong', flow 'gap': 'in >> >> B': a name is missing beside '>>', '&' or ','",
      "graph 'wrong', node 'in': 'source' must be an Observable or an iterable; got 7",
      "graph 'wrong', node 'sort': there is no algorithm 'srt'; did you mean 'sort'?",
      "graph 'wrong', node 'A': a stateful algorithm is an object with 'start' and 'onMessage'",
      "graph 'wrong', node 'A': 'interpreters' is for nodes in Python",
      "graph 'wrong', node 'A': a stateful node has one interpreter: its state is there",
      "graph 'wrong', node 'B': a stateful node has one interpreter: its state is there",
      "graph 'wrong', node 'lost': nothing leads to it: make it 'stateful', so that its 'start' sends messages, or put a node before it",
      "graph 'wrong': node 'lost' is in no flow",
      "graph 'wrong': 'defaultFlow': there is no flow 'main'; there are 'master', 'round', 'none', 'short', 'gap'",
    ])
  })

  it('has a picture of each flow', () => {
    const drawn = graph({
      name: 'tweets',
      nodes: [
        { nodeName: 'twitt' },
        { nodeName: 'sort', algorithm: { python: 'sort.py' }, stateType: 'stateful' },
        { nodeName: 'A', algorithm },
        { nodeName: 'B', algorithm },
      ],
      flows: { analyze: 'sort>>A', master: 'twitt >>sort>>B' },
      defaultFlow: 'master',
    })
    assert.equal(
      drawn.toMermaid(),
      [
        'flowchart LR',
        '  n0[/"twitt"/]',
        '  n1["sort<br/>stateful, Python"]',
        '  n2["A"]',
        '  n3["B"]',
        '  n0 -->|"master"| n1',
        '  n1 -->|"master"| n3',
        '  n1 -.->|"analyze"| n2',
        '',
      ].join('\n'),
    )
    assert.match(drawn.toSvg(), />analyze<\/text>/)
  })
})
