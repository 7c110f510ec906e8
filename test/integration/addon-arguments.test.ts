// The native entries by themselves: what lib/ would never pass must not crash either.
import assert from 'node:assert/strict'
import { type NativeChannel, type NativePool, native } from '../../lib/native'

const OPTIONS = {
  id: 1,
  library: '/nowhere/libpython.so',
  executable: '/nowhere/python',
  pythonDir: '/nowhere',
  isolation: 'shared' as const,
  environment: [],
  grace: 1,
  host: '{}',
}

describe('arguments of the addon', () => {
  let channel: NativeChannel
  let pool: NativePool
  const outbox = new Int32Array(64)

  before(() => {
    const { NativeChannel, NativePool } = native()
    channel = new NativeChannel(() => {})
    channel.setOutbox(outbox)
    pool = new NativePool(channel, OPTIONS)
  })

  it('memory larger than Node lets a buffer be is refused', () => {
    for (const shareable of [false, true]) {
      const size = 2 ** 50
      assert.equal(native().allocate(size, shareable), null)
      assert.equal(native().allocate(2 ** 52 + 1, shareable), null)
    }
    // Node has a limit of its own, which it reports after it has freed the memory.
    const limit = native().allocate(2 ** 32 + 1, false)
    assert.ok(limit === null || limit.byteLength === 2 ** 32 + 1)
  })

  it('sizes that are none are TypeErrors', () => {
    for (const size of [-1, 0.5, NaN, Infinity, '8', undefined, null, 8n, {}]) {
      assert.throws(() => native().allocate(size as number, false), TypeError, String(size))
    }
    assert.throws(() => native().allocate(8, 'yes' as never), TypeError)
  })

  it('rows that reach beyond the outbox, or share out another text, are refused', () => {
    const row = (...numbers: number[]) => {
      outbox.fill(0)
      outbox.set(numbers)
    }
    const refused = (text: string, numbers: number, units = text.length) =>
      assert.throws(() => pool.submit(text, units, numbers, true), TypeError)
    row(1, 0, -1, 2, 4, 2, 1, 3)
    refused('abcd', 65) // more than the outbox holds
    refused('abcd', 7) // the lengths are cut off
    refused('abcd', 5) // the row is
    refused('abcd', 0)
    refused('abcd', -1)
    refused('abc', 8) // fewer units than the row says
    refused('abcd', 8, 5)
    row(1, 0, 0, 2, 4, 2, 1, 3)
    refused('abcd', 8) // a seat that there is not
    row(1, -1, -1, 2, 4, 2, 1, 3)
    refused('abcd', 8)
    row(1, 1 << 20, -1, 2, 4, 2, 1, 3)
    refused('abcd', 8)
    row(1, 0, -1, -2, 4, 0)
    refused('abcd', 6)
    row(1, 0, -1, 3, 4, 2, 1, 3)
    refused('abcd', 8) // not as many lengths as items
    row(1, 0, -1, 2, -4, 2, 1, 3)
    refused('abcd', 8)
    assert.throws(() => pool.submit([1] as never, 1, 6, true), TypeError)
  })

  it('an outbox that lost its memory has nothing in it', () => {
    const lost = new Int32Array(64)
    lost.set([1, 0, -1, 1, 0, 0])
    channel.setOutbox(lost)
    structuredClone(lost.buffer, { transfer: [lost.buffer] })
    try {
      assert.throws(() => pool.submit('', 0, 6, true), TypeError)
    } finally {
      channel.setOutbox(outbox)
    }
  })

  it('views, crossings and seats of a binary call are checked', () => {
    const submit = (views: unknown, crossings: unknown, seat = -1, handler = 0, items = 1, layout?: unknown) =>
      assert.throws(
        () => pool.submitBinary(1, seat, handler, views as never, crossings as never, items, layout as never),
        TypeError,
      )
    const view = new Uint8Array(8)
    submit([view], new Uint8Array(1), -1, 0, -1)
    // A layout is offset, shape and strides of the one view, in which all its elements lie.
    const layouts: unknown[] = [
      null,
      [0, 8, 1],
      Float32Array.of(0, 8, 1),
      Float64Array.of(),
      Float64Array.of(0, 8),
      Float64Array.of(0, 9, 1),
      Float64Array.of(1, 8, 1),
      Float64Array.of(0, 8, -1),
      Float64Array.of(-1, 8, 1),
      Float64Array.of(0, -1, 1),
      Float64Array.of(0.5, 1, 1),
      Float64Array.of(0, Number.NaN, 1),
      Float64Array.of(0, 2 ** 52, 2 ** 52),
      Float64Array.of(0, 2 ** 40, 2 ** 40, 0, 0),
      Float64Array.of(9, 0, 1),
      new Float64Array(67),
    ]
    for (const layout of layouts) submit([view], new Uint8Array(1), -1, 0, 1, layout)
    submit([view, view], new Uint8Array(2), -1, 0, 2, Float64Array.of(0, 8, 1))
    submit([view], new Uint8Array(0))
    submit([view], [0])
    submit([view, new DataView(new ArrayBuffer(4))], new Uint8Array(2))
    submit([{}], new Uint8Array(1))
    submit({ length: 1, 0: view }, new Uint8Array(1))
    submit([view], new Uint8Array(1), 0)
    submit([view], new Uint8Array(1), -1, -1)
    // Taken together, they must lie on one buffer; one that is shared cannot be taken.
    submit([new Uint8Array(8), new Uint8Array(8)], new Uint8Array([3, 3]))
    submit([new Uint8Array(new SharedArrayBuffer(8))], new Uint8Array([3]))
  })

  it('other objects are not taken for channels and pools', () => {
    const { NativeChannel, NativePool } = native()
    const disguised = Object.setPrototypeOf(new NativePool(channel, OPTIONS), NativeChannel.prototype)
    for (const wrong of [{}, pool, disguised, Object.create(channel), null, undefined, () => {}]) {
      assert.throws(() => new NativePool(wrong as never, OPTIONS), TypeError)
    }
    assert.throws(() => Reflect.apply(pool.start, channel, [1]))
    assert.throws(() => Reflect.apply(channel.next, {}, []))
    assert.throws(() => new NativeChannel('x' as never), TypeError)
    for (const wrong of [new Uint8Array(8), [], null, 8]) {
      assert.throws(() => channel.setInbox(wrong as never), TypeError)
    }
  })

  it('options of a pool are checked', () => {
    const { NativePool } = native()
    const wrong: [string, unknown][] = [
      ['isolation', 'other'],
      ['id', '1'],
      ['library', null],
      ['host', 5],
      ['executable', undefined],
    ]
    for (const [name, value] of wrong) {
      assert.throws(() => new NativePool(channel, { ...OPTIONS, [name]: value } as never), TypeError, name)
    }
    const worker = { ...OPTIONS, isolation: 'process' }
    for (const environment of [null, 'A=1', [1], [undefined]]) {
      assert.throws(() => new NativePool(channel, { ...worker, environment } as never), TypeError)
    }
    assert.throws(() => new NativePool(channel, { ...worker, grace: -1 } as never), TypeError)
  })

  it('handlers, codecs, calls and seats that there cannot be are TypeErrors', () => {
    assert.throws(() => pool.defineHandler(0, 5, 0, true, '{}', 1), TypeError)
    assert.throws(() => pool.defineHandler(0, 0, -1, true, '{}', 1), TypeError)
    assert.throws(() => pool.defineHandler(1 << 20, 0, 0, true, '{}', 1), TypeError)
    assert.throws(() => pool.stop(0, 1), TypeError)
    assert.throws(() => pool.stop(-1, 1), TypeError)
    assert.throws(() => pool.control(1, 0, '{}', 2), TypeError)
    assert.throws(() => pool.control(1, -1, '{}', 3), TypeError)
    assert.throws(() => pool.forget(1, -1, -1), TypeError)
    assert.throws(() => pool.cancel(0.5), TypeError)
    assert.throws(() => pool.start(2 ** 31), TypeError)
    assert.throws(() => pool.defineHandler(0, 0, 0, true, '{}', 0), TypeError)
    assert.throws(() => pool.defineHandler(0, 0, 0, true, '{}', 1 << 20), TypeError)
    assert.throws(() => pool.open(0), TypeError)
    assert.throws(() => pool.handOver(0, 0), TypeError)
    assert.throws(() => pool.memory(0), TypeError)
    assert.throws(() => pool.load(0, new Float64Array(4)), TypeError)
    assert.throws(() => pool.giveUp(1, -1), TypeError)
    assert.throws(() => pool.runsFor('1' as never), TypeError)
    assert.throws(() => pool.heldWith(NaN), TypeError)
    assert.throws(() => pool.within(1, 0), TypeError)
    assert.throws(() => pool.answer(1, true, '[]', 3), TypeError)
    // A key's place, which is a seat, too.
    assert.throws(() => pool.control(1, -2, '{}', 2), TypeError)
  })

  it('only locks of ours are given back', () => {
    for (const descriptor of [0, 1, 2, 1000, -1]) {
      assert.throws(() => native().unlockFile(descriptor), TypeError)
    }
  })
})
