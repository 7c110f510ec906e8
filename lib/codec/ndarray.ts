import { CONSTRUCTORS, nameOf, type TypedArray, typeOf } from './typed'

/** Dimensions that an array may have: as many as every numpy can do. */
const MOST_DIMENSIONS = 32

/**
 * An array with a shape, for codec `array`: a numpy array in JavaScript's eyes. The element `[i, j, …]` is
 * `data[offset + i * strides[0] + j * strides[1] + …]`; all these numbers count elements, not bytes. Strides may be zero
 * or negative, but every element must lie within `data`.
 *
 * A handler that is called with an `NdArray` gets a numpy array of that shape over the same elements, and what it returns
 * arrives as an `NdArray`, however its elements lie.
 */
export class NdArray<T extends TypedArray = TypedArray> {
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  /**
   * @param data what the elements lie in
   * @param shape default: one dimension with all elements of `data`
   * @param strides default: C order, that is, the last index goes from element to element
   * @param offset where the element `[0, 0, …]` lies; default: where the first element lies in memory is 0
   * @throws TypeError for what is no typed array or no list of numbers, RangeError for elements that would not lie in `data`
   */
  constructor(
    readonly data: T,
    shape?: readonly number[],
    strides?: readonly number[],
    readonly offset: number = 0,
  ) {
    if (!ArrayBuffer.isView(data) || typeOf(data) < 0) {
      throw new TypeError(`NdArray: data must be a typed array, got ${nameOf(data)}`)
    }
    this.shape = numbersOf('shape', shape ?? [data.length])
    this.strides = numbersOf('strides', strides ?? stridesInOrder(this.shape))
    const problem = misfit(this)
    if (problem !== undefined) throw new RangeError(`NdArray: ${problem}`)
  }

  /** How many elements it has. */
  get size(): number {
    return this.shape.reduce((product, length) => product * length, 1)
  }

  /** Whether the elements follow each other in C order. */
  get contiguous(): boolean {
    if (this.size === 0) return true
    const inOrder = stridesInOrder(this.shape)
    return this.strides.every((stride, i) => stride === inOrder[i] || this.shape[i] === 1)
  }

  /**
   * One element.
   *
   * @throws RangeError for an index that is out of its dimension, or too few or many of them
   */
  at(...indices: number[]): T[number] {
    if (indices.length !== this.shape.length) {
      throw new RangeError(`NdArray: ${this.shape.length} indices are needed, got ${indices.length}`)
    }
    let place = this.offset
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i]!
      if (!Number.isInteger(index) || index < 0 || index >= this.shape[i]!) {
        throw new RangeError(`NdArray: index ${index} is not in dimension ${i}, which has ${this.shape[i]} elements`)
      }
      place += index * this.strides[i]!
    }
    return this.data[place] as T[number]
  }

  /** All elements in C order: a view of `data` where they lie like that, else a copy. */
  flat(): T {
    const { size } = this
    if (this.contiguous) return this.data.subarray(this.offset, this.offset + size) as T
    const result = new CONSTRUCTORS[typeOf(this.data)]!(
      new ArrayBuffer(size * this.data.BYTES_PER_ELEMENT),
      0,
      size,
    ) as T
    const last = this.shape.length - 1
    const indices = this.shape.map(() => 0)
    let place = this.offset
    for (let i = 0; i < size; i++) {
      result[i] = this.data[place] as never
      for (let dimension = last; dimension >= 0; dimension--) {
        place += this.strides[dimension]!
        if (++indices[dimension]! < this.shape[dimension]!) break
        place -= this.strides[dimension]! * this.shape[dimension]!
        indices[dimension] = 0
      }
    }
    return result
  }
}

/** The part of an array's data that its elements lie in, and its layout there, as it crosses to native code. */
export function spanOf(array: NdArray): { view: TypedArray; layout: Float64Array } {
  const { data, shape, strides, offset } = array
  const { first, last } = extentOf(shape, strides)
  const empty = array.size === 0
  const from = empty ? 0 : offset + first
  const to = empty ? 0 : offset + last + 1
  const view = from === 0 && to === data.length ? data : (data.subarray(from, to) as TypedArray)
  return { view, layout: Float64Array.of(empty ? 0 : offset - from, ...shape, ...strides) }
}

/** An array of native code's making; `layout` holds the offset, the shape and the strides. */
export function ndArrayOf(data: TypedArray, layout: readonly number[]): NdArray {
  const dimensions = (layout.length - 1) / 2
  return new NdArray(data, layout.slice(1, 1 + dimensions), layout.slice(1 + dimensions), layout[0])
}

/** Why the elements do not lie within the data; undefined when they do. */
export function misfit({ data, shape, strides, offset }: NdArray): string | undefined {
  if (shape.length > MOST_DIMENSIONS)
    return `${shape.length} dimensions are more than the ${MOST_DIMENSIONS} there can be`
  if (strides.length !== shape.length) {
    return `strides must have a number for each of the ${shape.length} dimensions, got ${strides.length}`
  }
  if (!shape.every((length) => length >= 0)) return 'the numbers of the shape must not be negative'
  if (!Number.isSafeInteger(offset) || offset < 0) return `the offset must be a whole number from 0, got ${offset}`
  if (!Number.isSafeInteger(shape.reduce((product, length) => product * length, 1))) {
    return `an array of shape [${shape.join(', ')}] has more elements than can be counted`
  }
  const { first, last } = extentOf(shape, strides)
  const fits = shape.includes(0) ? offset <= data.length : offset + first >= 0 && offset + last < data.length
  if (fits) return undefined
  return (
    `the elements of shape [${shape.join(', ')}] with strides [${strides.join(', ')}] from ${offset} on do not all lie ` +
    `within ${data.length} element${data.length === 1 ? '' : 's'} of data`
  )
}

/** The places of the first and the last element in memory, as seen from the one with index 0, 0, … */
function extentOf(shape: readonly number[], strides: readonly number[]): { first: number; last: number } {
  let first = 0
  let last = 0
  for (let i = 0; i < shape.length; i++) {
    const reach = (shape[i]! - 1) * strides[i]!
    if (reach < 0) first += reach
    else last += reach
  }
  return { first, last }
}

function stridesInOrder(shape: readonly number[]): number[] {
  const strides: number[] = new Array(shape.length)
  let stride = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride
    stride *= Math.max(1, shape[i]!)
  }
  return strides
}

function numbersOf(name: string, numbers: readonly number[]): readonly number[] {
  if (!Array.isArray(numbers) || !numbers.every((number) => Number.isSafeInteger(number))) {
    throw new TypeError(`NdArray: ${name} must be a list of whole numbers`)
  }
  return Object.freeze([...numbers])
}
