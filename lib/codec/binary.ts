import { types } from 'node:util'
import { EncodeError } from '../errors'
import { Crossing, native } from '../native'
import { misfit, NdArray, ndArrayOf, spanOf } from './ndarray'
import { CONSTRUCTORS, nameOf, type TypedArray, type TypedArrayConstructor, typeOf } from './typed'

/** A batch of the buffer or array codec, ready to cross. */
export interface BinaryBatch {
  views: ArrayBufferView[]
  crossings: Uint8Array
  /** How the elements of the only view lie, where it is an array with a shape. */
  layout: Float64Array | undefined
}

/** Buffers made by `allocate`. One that was transferred elsewhere is another object, and so not in here. */
const ownedBuffers = new WeakSet<ArrayBufferLike>()

/**
 * A typed array in memory that JavaScript and Python may both hold.
 *
 * @param length elements
 * @param shareable by worker processes, too
 * @throws RangeError when there is not enough memory
 */
export function allocate<T extends TypedArray>(type: TypedArrayConstructor<T>, length: number, shareable = false): T {
  if (typeof type !== 'function' || !(CONSTRUCTORS as readonly unknown[]).includes(type)) {
    throw new TypeError('allocate: the first argument must be a typed array class such as Float64Array')
  }
  const bytes = length * type.BYTES_PER_ELEMENT
  if (!Number.isInteger(length) || length < 0 || !Number.isSafeInteger(bytes)) {
    throw new RangeError(`allocate: the length must be a whole number of elements, got ${length}`)
  }
  if (bytes === 0) return new type(new ArrayBuffer(0))
  const buffer = native().allocate(bytes, shareable)
  if (buffer === null) throw new RangeError(`allocate: not enough memory for ${bytes} bytes`)
  ownedBuffers.add(buffer)
  return new type(buffer, 0, length)
}

/**
 * The items of a buffer batch, or the one typed array of an array call.
 *
 * @param transfer detaches the items' ArrayBuffers, as `postMessage` does, so that nothing is copied
 * @param now the batch is sent at once: a single buffer can then be detached by the native side
 */
export function encodeBinary(items: readonly unknown[], arrays: boolean, transfer: boolean, now: boolean): BinaryBatch {
  const views: ArrayBufferView[] = new Array(items.length)
  const crossings = new Uint8Array(items.length)
  let layout: Float64Array | undefined
  for (let i = 0; i < items.length; i++) {
    const item = items[i]
    if (arrays && item instanceof NdArray) {
      const span = shapedView(item)
      views[i] = span.view
      layout = span.layout
    } else {
      views[i] = viewOf(item, i, arrays)
    }
  }
  const take = transfer && now && native().canTake && isOneBuffer(views)
  if (transfer && !take) transferAll(views)
  for (let i = 0; i < views.length; i++) {
    const crossing = crossingOf(views[i]!.buffer, transfer)
    crossings[i] = take && crossing === Crossing.Pin ? Crossing.Take : crossing
  }
  return { views, crossings, layout }
}

/** Makes a batch that waits independent of what becomes of the caller's memory. */
export function keepBinary({ views, crossings }: BinaryBatch): void {
  for (let i = 0; i < views.length; i++) {
    if (crossings[i] !== Crossing.Copy) continue
    const view = views[i] as TypedArray
    // Not view.slice(), which for a Node Buffer is no copy; and a detached view has no buffer to read.
    const copy = new Uint8Array(view.byteLength)
    if (copy.length > 0) copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    views[i] = new CONSTRUCTORS[typeOf(view)]!(copy.buffer, 0, view.length)
    crossings[i] = Crossing.Pin
  }
}

function shapedView(array: NdArray): { view: TypedArray; layout: Float64Array } {
  // Its data may have been detached since it was made.
  const problem = misfit(array)
  if (problem !== undefined) throw new EncodeError(`the NdArray does not hold: ${problem}`)
  return spanOf(array)
}

function viewOf(item: unknown, index: number, arrays: boolean): ArrayBufferView {
  const place = arrays ? {} : { itemIndex: index }
  if (item instanceof DataView || types.isAnyArrayBuffer(item)) {
    try {
      return item instanceof DataView
        ? new Uint8Array(item.buffer, item.byteOffset, item.byteLength)
        : new Uint8Array(item)
    } catch (cause) {
      throw new EncodeError(`this ${item.constructor.name} has lost its memory: ${(cause as Error).message}`, place)
    }
  }
  if (ArrayBuffer.isView(item)) {
    if (typeOf(item) >= 0) return item
    const name = nameOf(item)
    throw new EncodeError(`numpy arrays of these elements do not cross, got ${name}; use a Float32Array`, place)
  }
  if (arrays) {
    throw new EncodeError(`the codec 'array' carries typed arrays, NdArrays and other views, got ${nameOf(item)}`)
  }
  throw new EncodeError(`the codec 'buffer' carries Uint8Arrays and other views, got ${nameOf(item)}`, place)
}

/** Whether all views lie on the same ordinary buffer. */
function isOneBuffer(views: readonly ArrayBufferView[]): boolean {
  const buffer = views[0]?.buffer
  return types.isArrayBuffer(buffer) && buffer.byteLength > 0 && views.every((view) => view.buffer === buffer)
}

/** Moves the views to buffers that nobody else holds, which therefore cannot be detached any more. */
function transferAll(views: ArrayBufferView[]): void {
  const buffers = new Set<ArrayBuffer>()
  for (const { buffer } of views) {
    // Not by instanceof: a buffer of another realm (node:vm) could then be lent and still be detached.
    if (types.isArrayBuffer(buffer) && buffer.byteLength > 0 && !ownedBuffers.has(buffer)) buffers.add(buffer)
  }
  if (buffers.size === 0) return
  // A transfer empties the views on the old buffers, so their extents are read first.
  const extents = (views as TypedArray[]).map(({ buffer, byteOffset, length }) => ({ buffer, byteOffset, length }))
  const before = [...buffers]
  let after: ArrayBuffer[]
  try {
    after = structuredClone(before, { transfer: before })
  } catch (cause) {
    throw new EncodeError(`a buffer cannot be transferred: ${(cause as Error).message}`)
  }
  const moved = new Map<ArrayBufferLike, ArrayBuffer>(before.map((buffer, i) => [buffer, after[i]!]))
  for (let i = 0; i < views.length; i++) {
    const { buffer, byteOffset, length } = extents[i]!
    const target = moved.get(buffer)
    if (target === undefined) continue
    // By kind, not by constructor: a Node Buffer comes back as the Uint8Array that it is.
    views[i] = new CONSTRUCTORS[typeOf(views[i]!)]!(target, byteOffset, length)
  }
}

function crossingOf(buffer: ArrayBufferLike, transfer: boolean): Crossing {
  if (ownedBuffers.has(buffer)) return Crossing.Owned
  if (transfer || types.isSharedArrayBuffer(buffer)) return Crossing.Pin
  return Crossing.Copy
}

/** Numbers for each item of a binary result; the same layout as in native/binding/channel.cc. */
const NUMBERS_PER_ITEM = 7

/**
 * The arrays of a binary result.
 *
 * @param numbers describes the items from index `from` on
 * @param inputs what the call carried in: a result inside an input's shared memory is a view of that same memory
 */
export function decodeBinary(
  buffers: readonly ArrayBuffer[],
  numbers: Int32Array,
  from: number,
  count: number,
  inputs: readonly ArrayBufferView[],
): (TypedArray | NdArray)[] {
  const results: (TypedArray | NdArray)[] = new Array(count)
  let layouts = from + count * NUMBERS_PER_ITEM
  for (let i = 0, at = from; i < count; i++, at += NUMBERS_PER_ITEM) {
    const place = numbers[at]!
    const buffer = place >= 0 ? buffers[place]! : inputs[-1 - place]!.buffer
    const type = CONSTRUCTORS[numbers[at + 1]!]!
    const offset = whole(numbers[at + 2]!, numbers[at + 3]!)
    const size = whole(numbers[at + 4]!, numbers[at + 5]!)
    const data = viewAt(type, buffer, offset, size)
    const length = numbers[at + 6]!
    results[i] = length === 0 ? data : ndArrayOf(data, layoutAt(numbers, layouts, length))
    layouts += 2 * length
  }
  return results
}

function layoutAt(numbers: Int32Array, from: number, length: number): number[] {
  return Array.from({ length }, (_, i) => whole(numbers[from + 2 * i]!, numbers[from + 2 * i + 1]!))
}

function viewAt(type: TypedArrayConstructor, buffer: ArrayBufferLike, offset: number, size: number): TypedArray {
  const width = type.BYTES_PER_ELEMENT
  if (offset % width === 0) return new type(buffer, offset, size / width)
  // A typed array cannot start between elements; numpy can.
  return new type(buffer.slice(offset, offset + size), 0, size / width)
}

function whole(low: number, high: number): number {
  return (low >>> 0) + high * 2 ** 32
}
