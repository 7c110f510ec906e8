import assert from 'node:assert/strict'
import { join } from 'node:path'
import { needKafka } from '../../test/services/servers/kafka'
import { ExampleNode } from '../shared/node'
import { demo as clusterDemo } from './cluster'
import { demo } from './demo'
import { pointsFrom } from './points'

describe('example 3: pi, as jobs on a node', () => {
  it('makes the same points from any number on, evenly', () => {
    const lines: string[] = []
    const points = pointsFrom(0, 1, (line) => lines.push(line))
    const first = Array.from({ length: 200_000 }, () => points.next().value![0])
    assert.match(lines.join('\n'), /^RandomXYGenerator \(0\.\d+, 0\.\d+\)\nRandomXYGenerator \(0\.\d+, 0\.\d+\)$/)
    const later = pointsFrom(150_000, 1, () => {})
    for (let n = 150_000; n < 150_100; n++) assert.deepEqual(later.next().value, [first[n], n + 1])
    const cells = new Array<number>(100).fill(0)
    for (const { x, y } of first) cells[Math.floor(x * 10) * 10 + Math.floor(y * 10)]! += 1
    // Chi-square with 99 degrees of freedom: above 149 once in a thousand seeds.
    const chi = cells.reduce((total, cell) => total + (cell - 2000) ** 2 / 2000, 0)
    assert.ok(chi < 149, `${chi}`)
    assert.equal(new Set(first.map(({ x }) => x)).size, first.length)
  })

  it('estimates pi within 0.01, both ways, every few seconds', async () => {
    const lines: string[] = []
    const { estimates } = await demo(['--seconds', '10', '--every', '2'], (line) => lines.push(line))
    for (const [name, values] of Object.entries(estimates)) {
      assert.ok(values.length >= 2, `${name} published ${values.length} values:\n${lines.join('\n')}`)
      assert.ok(Math.abs(values.at(-1)! - Math.PI) < 0.01, `${name}: ${values.at(-1)}`)
    }
    assert.ok(lines.some((line) => /^\[Pi1Job\] .* RandomXYGenerator \(0\.\d+, 0\.\d+\)$/.test(line)))
    assert.match(lines.join('\n'), /\*{63}\nTopic 'pi' : Job 'Pi1Job' : Value '3\.1\d+'\n\*{63}/)
  })

  it('goes on with its count after kill -9 of the node', async () => {
    const published: number[] = []
    const node = await ExampleNode.start((line) => {
      const value = /Value '(.*)'/.exec(line)?.[1]
      if (value !== undefined) published.push(Number(value))
    })
    try {
      await node.run('submit', join(__dirname, 'Pi2Job.ts'), '--', '--every', '1')
      while (published.length < 2) await new Promise((resolve) => setTimeout(resolve, 50))
      await node.end('SIGKILL')
      const before = published.length
      await node.start()
      while (published.length < before + 1) await new Promise((resolve) => setTimeout(resolve, 50))
      const list = await node.run('list')
      assert.match(list, /^Pi2Job +running +\d+ /m)
      // With the points of before it is as good as it was, from its first value on.
      assert.ok(Math.abs(published[before]! - Math.PI) < 0.01, `${published}`)
    } finally {
      await node.dispose()
    }
  })

  it('is shared by several nodes through Kafka, and goes on when one of them is killed', async function () {
    needKafka(this)
    const { points, pi, expected, byNode, meanwhile } = await clusterDemo(['1000'], () => {})
    // Each point once, whoever had it.
    assert.deepEqual({ points, pi }, expected)
    assert.ok(Math.abs(pi - Math.PI) < 0.1, `${pi}`)
    assert.deepEqual(Object.keys(byNode), ['node 1', 'node 2', 'node 3'])
    for (const [name, had] of Object.entries(byNode)) assert.ok(had > 0, `${name} has had nothing`)
    assert.equal(
      Object.values(byNode).reduce((sum, had) => sum + had, 0),
      points,
    )
    assert.equal(meanwhile.partitions, 6)
  })
})
