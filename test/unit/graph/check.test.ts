import assert from 'node:assert/strict'
import { OptionError } from '../../../lib'
import { type PipelineOptions, pipeline } from '../../../lib/graph'

const algorithm = () => 1

function problemsOf(options: unknown): readonly string[] {
  try {
    pipeline(options as PipelineOptions)
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error))
    return error.problems
  }
  return []
}

describe('a pipeline that is wrong', () => {
  it('is told all its problems at once, each with its place', () => {
    const problems = problemsOf({
      name: 'wrong',
      nodes: [
        { nodeName: 'one', algorithmName: 'gren', input: ['@two', { deep: ['@twoo'] }] },
        { nodeName: 'two', algorithm, input: ['@one', '*@one'] },
        { nodeName: 'out', kind: 'output' },
        { nodeName: 'late', algorithm, input: ['@out'], ttl: -1 },
        { nodeName: 'late', algorithm },
      ],
      algorithms: { green: algorithm },
      pipelines: { stored: { nodes: [{ nodeName: 'x', algorithmName: 'y' }] } },
      options: { batchTolerance: 'many' },
    })
    assert.deepEqual(problems, [
      "pipeline 'stored', node 'x': there is no algorithm 'y'; there are 'green'",
      "pipeline 'wrong', options: 'batchTolerance' must be a percentage from 0 to 100; got 'many'",
      "pipeline 'wrong': nodes[4]: there is a node 'late' already",
      "pipeline 'wrong', node 'one': input[1].deep[0]: there is no node 'twoo'; did you mean 'two'?",
      "pipeline 'wrong', node 'one': there is no algorithm 'gren'; did you mean 'green'?",
      "pipeline 'wrong', node 'two': input[1]: '*@one' is no reference: write '@node', '#@node', '@node.field' or '@flowInput.field'",
      "pipeline 'wrong', node 'late': 'ttl' must be a number of seconds above 0; got -1",
      "pipeline 'wrong': a cycle: 'two' -> 'one' -> 'two'",
      "pipeline 'wrong', node 'out': an output node needs an 'input'",
      "pipeline 'wrong', node 'out': no node may depend on an output node, and 'late' does",
    ])
  })

  it('each cycle is told once, also that of a node with itself', () => {
    const node = (nodeName: string, ...input: string[]) => ({ nodeName, algorithm, input })
    assert.deepEqual(
      problemsOf({ name: 'c', nodes: [node('a', '@a'), node('b', '@c'), node('c', '@b', '@a'), node('d', '@c')] }),
      ["pipeline 'c': a cycle: 'a' -> 'a'", "pipeline 'c': a cycle: 'c' -> 'b' -> 'c'"],
    )
  })

  it('options, names and algorithms are looked at', () => {
    assert.match(problemsOf({ name: 'x y', nodes: [] }).join('\n'), /'name' must be.*\n.*at least one node/)
    assert.match(problemsOf({ name: 'x', nodes: [{ nodeName: 'flowInput', algorithm }] })[0]!, /the run's input/)
    assert.match(
      problemsOf({ name: 'x', nodes: [{ nodeName: 'a', algorithm, inputs: [] }] })[0]!,
      /did you mean 'input'/,
    )
    assert.match(
      problemsOf({ name: 'x', nodes: [{ nodeName: 'a', algorithm: {} }] })[0]!,
      /neither a function 'start' nor 'python'/,
    )
    assert.match(
      problemsOf({ name: 'x', nodes: [{ nodeName: 'a', kind: 'outptu' }] })[0]!,
      /'kind' must be one of 'algorithm', 'output'/,
    )
    assert.match(
      problemsOf({ name: 'x', nodes: [{ nodeName: 'a', algorithm }], cache: true })[0]!,
      /'cache' needs a 'store'/,
    )
    assert.match(
      problemsOf({ name: 'x', nodes: [{ nodeName: 'o', kind: 'output', input: ['#@flowInput'] }] })[0]!,
      /does not fan out/,
    )
  })
})

describe('pictures of a pipeline', () => {
  const drawn = pipeline({
    name: 'drawn',
    nodes: [
      { nodeName: 'a', algorithmName: 'alg', input: ['@flowInput.x'] },
      { nodeName: 'b', algorithm: { python: 'b.py' }, input: ['#@a', '@flowInput'] },
      { nodeName: 'out', kind: 'output', input: ['@b'] },
    ],
    algorithms: { alg: algorithm },
  })

  it('Mermaid', () => {
    assert.equal(
      drawn.toMermaid(),
      [
        'flowchart LR',
        '  n0[/"flowInput"/]',
        '  n1["a<br/>alg"]',
        '  n2["b<br/>Python"]',
        '  n3(["out<br/>output"])',
        '  n0 --> n1',
        '  n1 -->|"#"| n2',
        '  n0 --> n2',
        '  n2 --> n3',
        '',
      ].join('\n'),
    )
  })

  it('SVG: every node and every line', () => {
    const svg = drawn.toSvg()
    assert.match(svg, /^<svg xmlns/)
    for (const text of ['>drawn<', '>flowInput<', '>a<', '>b<', '>out<', '>#<']) assert.ok(svg.includes(text), text)
    assert.equal(svg.match(/<path d="M[^"]*" fill="none"/g)?.length, 4)
  })
})
