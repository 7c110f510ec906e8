import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { decodeBinary, encodeBinary, keepBinary } from '../../lib/codec/binary'
import { nameOf } from '../../lib/codec/typed'
import { EncodeError } from '../../lib/errors'
import { Crossing } from '../../lib/native'

/** The numbers that describe one result: buffer or alias, type, and its offset and size in two halves. */
const describeResult = (place: number, type: number, offset: number, size: number) => [
  place,
  type,
  offset & 0xffffffff,
  Math.floor(offset / 2 ** 32),
  size & 0xffffffff,
  Math.floor(size / 2 ** 32),
  0, // no layout
]
const UINT8 = 1
const FLOAT64 = 8

describe('the binary codecs', () => {
  it('copy what could be taken away, and lend what could not', () => {
    const own = new Uint8Array(4)
    const shared = new Uint8Array(new SharedArrayBuffer(4))
    assert.deepEqual(Array.from(encodeBinary([own, shared], false, false, false).crossings), [
      Crossing.Copy,
      Crossing.Pin,
    ])
  })

  it('also where they come from another realm', () => {
    const foreign = runInNewContext(
      '[new Uint8Array([1, 2]), new Uint8Array(new SharedArrayBuffer(2)), new ArrayBuffer(3)]',
    )
    const { views, crossings } = encodeBinary(foreign, false, false, false)
    assert.deepEqual(Array.from(crossings), [Crossing.Copy, Crossing.Pin, Crossing.Copy])
    assert.deepEqual(
      views.map((view) => view.byteLength),
      [2, 2, 3],
    )
    encodeBinary([foreign[0]], false, true, false)
    assert.equal(foreign[0].length, 0)
  })

  it('transfer each buffer once, and keep every view on it', () => {
    const buffer = new ArrayBuffer(32)
    new Uint8Array(buffer).set([1, 2, 3], 8)
    const items = [new Uint8Array(buffer, 8, 3), new Float64Array(buffer, 16), new DataView(buffer, 8, 1), buffer]
    const { views, crossings } = encodeBinary(items, false, true, false)
    assert.equal(buffer.byteLength, 0)
    assert.deepEqual(views[0], Uint8Array.of(1, 2, 3))
    assert.deepEqual([views[1]!.constructor, views[1]!.byteOffset, views[1]!.byteLength], [Float64Array, 16, 16])
    assert.deepEqual(views[2], Uint8Array.of(1))
    assert.equal(views[3]!.byteLength, 32)
    assert.equal(new Set(views.map((view) => view.buffer)).size, 1)
    assert.deepEqual(Array.from(crossings), new Array(4).fill(Crossing.Pin))
  })

  it('transfer nothing where one item is refused', () => {
    const good = new Uint8Array(4)
    assert.throws(() => encodeBinary([good, 'text'], false, true, false), EncodeError)
    assert.equal(good.length, 4)
  })

  it('make a batch that waits its own', () => {
    const own = Int16Array.of(1, 2, 3).subarray(1)
    const pooled = Buffer.from('ab')
    const shared = new Uint8Array(new SharedArrayBuffer(2))
    const batch = encodeBinary([own, pooled, shared], false, false, false)
    keepBinary(batch)
    own[0] = 99
    pooled[0] = 99
    shared[0] = 99
    assert.deepEqual(batch.views, [Int16Array.of(2, 3), Uint8Array.of(97, 98), shared])
    assert.deepEqual(Array.from(batch.crossings), [Crossing.Pin, Crossing.Pin, Crossing.Pin])
  })

  it('read results out of buffers, and out of what went in', () => {
    const input = new Uint8Array(new SharedArrayBuffer(16), 4)
    const block = Uint8Array.of(1, 2, 3, 4, 5).buffer
    const doubles = Float64Array.of(0.5, 1.5).buffer
    const numbers = Int32Array.from([
      7,
      ...describeResult(0, UINT8, 0, 2),
      ...describeResult(0, UINT8, 2, 3),
      ...describeResult(1, FLOAT64, 8, 8),
      ...describeResult(-1, UINT8, 6, 2),
    ])
    const results = decodeBinary([block, doubles], numbers, 1, 4, [input])
    assert.deepEqual(results.slice(0, 3), [Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5), Float64Array.of(1.5)])
    const last = results[3] as Uint8Array
    assert.equal(last.buffer, input.buffer)
    assert.deepEqual([last.byteOffset, last.length], [6, 2])
  })

  it('copy a result that starts between elements', () => {
    const bytes = new Uint8Array(17)
    bytes.set(new Uint8Array(Float64Array.of(2.5, 3.5).buffer), 1)
    const numbers = Int32Array.from(describeResult(0, FLOAT64, 1, 16))
    assert.deepEqual(decodeBinary([bytes.buffer], numbers, 0, 1, []), [Float64Array.of(2.5, 3.5)])
  })

  it('name values for their errors', () => {
    class Frame {}
    const names: [unknown, string][] = [
      [null, 'null'],
      [undefined, 'undefined'],
      [5, 'a number'],
      ['', 'a string'],
      [new Frame(), 'a value of class Frame'],
      [Object.create(null), 'an object'],
      [{ constructor: undefined }, 'an object'],
    ]
    for (const [value, name] of names) assert.equal(nameOf(value), name)
  })
})
