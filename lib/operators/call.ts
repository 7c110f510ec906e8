import { inspect } from 'node:util'
import { isKey } from '../checker'
import { OptionError, ResultError } from '../errors'
import type { Key } from '../pool/affinity'
import type { CallOptions, Handler, HandlerMode } from '../pool/handler'
import type { CompleteOperatorOptions } from './options'

/** A batch to Python: as it is, or, where each item has a key, in parts. */
export function callPython<I>(
  where: string,
  items: readonly I[],
  handler: Handler<I, unknown>,
  { keyOf, pick }: Pick<CompleteOperatorOptions<I, unknown>, 'keyOf' | 'pick'>,
  options: CallOptions,
): Promise<readonly unknown[]> {
  const call = (some: readonly I[], its: CallOptions): Promise<readonly unknown[]> => {
    const values = pick === undefined ? some : (some.map(pick) as I[])
    if (handler.codec !== 'array') return handler.call(values, its)
    const array = values[0] as unknown as readonly I[]
    return handler.call(array, its).then((result: unknown) => [result])
  }
  try {
    if (keyOf === undefined) return call(items, options)
    const parts = partsByKey(where, items, keyOf, (key) => handler.pool.placeOf(key))
    return callParts(parts, async (part, key) => {
      const values = await call(part, { ...options, key })
      demandEach(part, values, handler)
      return values
    })
  } catch (error) {
    return Promise.reject(error)
  }
}

/** The handler's answer as the values that go downstream. */
export function shapeResults(
  mode: HandlerMode,
  items: readonly unknown[],
  values: readonly unknown[],
  handler: { readonly name: string } | undefined,
): readonly unknown[] {
  if (mode === 'flatMap') return values
  demandEach(items, values, handler)
  return mode === 'filter' ? items.filter((_, i) => values[i]) : values
}

/** One result for each item, or an error. */
export function demandEach(
  items: readonly unknown[],
  values: readonly unknown[],
  handler: { readonly name: string } | undefined,
): void {
  if (values.length === items.length) return
  throw new ResultError(
    {
      code: 'ERR_RESULT_LENGTH',
      type: 'ResultLengthError',
      message: `${values.length} results for ${items.length} items`,
      traceback: '',
      notes: [],
      cause: null,
      item: null,
    },
    { handler: handler?.name, batchSize: items.length },
  )
}

interface Part<I> {
  /** Of its first item; all of them lead to the same interpreter. */
  readonly key: Key
  readonly items: I[]
  /** Where the items are in the batch. */
  readonly indices: number[]
}

/** A batch in parts, one for each interpreter that has keys in it. */
function partsByKey<I>(
  where: string,
  items: readonly I[],
  keyOf: (item: I) => unknown,
  placeOf: (key: Key) => number,
): Part<I>[] {
  const parts = new Map<number, Part<I>>()
  const known = new Map<Key, Part<I>>()
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!
    const key = keyOf(item)
    if (!isKey(key)) {
      throw new OptionError([`${where}: the key of an item must be a text or a finite number; got ${inspect(key)}`])
    }
    let part = known.get(key as Key)
    if (part === undefined) {
      const place = placeOf(key as Key)
      part = parts.get(place)
      if (part === undefined) {
        part = { key: key as Key, items: [], indices: [] }
        parts.set(place, part)
      }
      known.set(key as Key, part)
    }
    part.items.push(item)
    part.indices.push(i)
  }
  return [...parts.values()]
}

/**
 * Calls Python for each part, and brings the results into the order of the batch. Where a part fails, the others still come
 * to their end before the batch fails.
 */
async function callParts<I>(
  parts: readonly Part<I>[],
  call: (items: readonly I[], key: Key) => Promise<readonly unknown[]>,
): Promise<readonly unknown[]> {
  const answers = await Promise.allSettled(parts.map(({ items, key }) => call(items, key)))
  const results: unknown[] = []
  for (const [at, answer] of answers.entries()) {
    if (answer.status === 'rejected') throw answer.reason
    const { indices } = parts[at]!
    for (let i = 0; i < indices.length; i++) results[indices[i]!] = answer.value[i]
  }
  return results
}
