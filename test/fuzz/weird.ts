/** Values that an argument check has to stand: wrong types, edges of numbers, getters that throw, memory that is gone. */

/** A number below the one given. */
export type Pick = (below: number) => number

export function detached<T extends ArrayBufferView>(view: T): T {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] })
  return view
}

export function weirdValues(objects: readonly object[]): readonly (() => unknown)[] {
  const constants: unknown[] = [
    ...[undefined, null, true, false, 0, -0, -1, 1, 0.5, NaN, Infinity, -Infinity, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)],
    ...[2 ** 32, 2 ** 53, 1e308, 5e-324, 1n, -(2n ** 64n), '', 'x', '\0', '\ud800', 'shared', 'process', '/dev/null'],
    ...[Symbol('odd'), () => {}, class Odd {}, /x/, new Date(), new Map(), new Error('odd'), Object.create(null)],
    ...[[], [1, 2], ['a', 'b'], ['a', 1], [undefined], {}, { length: 5 }, new Proxy({}, {}), new Proxy([], {})],
    ...objects,
    ...objects.map((object) => Object.create(object)),
    ...objects.map((object) => Object.setPrototypeOf({}, Object.getPrototypeOf(object))),
  ]
  return [
    ...constants.map((value) => () => value),
    () => 'x'.repeat(100_000),
    () => new Array(1000),
    () => new Uint8Array(8),
    () => new Int32Array(64),
    () => new Int32Array(new SharedArrayBuffer(64)),
    () => new Float32Array(3),
    () => new BigUint64Array(3),
    () => new DataView(new ArrayBuffer(8)),
    () => new ArrayBuffer(8),
    () => new SharedArrayBuffer(8),
    () => Buffer.from('odd'),
    () => detached(new Int32Array(64)),
    () => detached(new Uint8Array(64)),
    () => [detached(new Uint8Array(64)), new Uint8Array(3)],
    () => [new Uint8Array(3), new DataView(new ArrayBuffer(8))],
    throwing,
    () => new Proxy([], { get: () => throwing() }),
    meddling,
  ]
}

export function anyValue(values: readonly (() => unknown)[], pick: Pick): unknown {
  return values[pick(values.length)]!()
}

/** Throws whatever is asked of it. */
function throwing(): object {
  const fail = () => {
    throw 'thrown'
  }
  return new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail, getOwnPropertyDescriptor: fail })
}

/** A list of views, of which reading the second detaches the first. */
function meddling(): unknown[] {
  const first = new Uint8Array(1 << 16)
  const list: unknown[] = [first, undefined]
  Object.defineProperty(list, 1, { get: () => detached(first) })
  return list
}
