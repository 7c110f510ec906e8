/** What a typed array can be; both sides know these eleven element types. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array

export interface TypedArrayConstructor<T extends TypedArray = TypedArray> {
  readonly BYTES_PER_ELEMENT: number
  readonly name: string
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): T
}

/** In the order of napi_typedarray_type. */
export const CONSTRUCTORS: readonly TypedArrayConstructor[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
]

/** The place of its class in that order; -1 for a DataView and for classes that Python has no elements for. */
export function typeOf(view: ArrayBufferView): number {
  const name = (view as unknown as Record<symbol, string>)[Symbol.toStringTag]
  return CONSTRUCTORS.findIndex((type) => type.name === name)
}

/** What a value is, for an error message. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`
  const name = value.constructor?.name
  return name ? `a value of class ${name}` : 'an object'
}
