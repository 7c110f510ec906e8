/** Where in a node's input a reference stands, and what it refers to. */
export interface Reference {
  /** Such as `input[0].file`. */
  readonly where: string
  /** A node's name, or `flowInput`; undefined for a list that is written out. */
  readonly of: string | undefined
  /** The fields to go to from there. */
  readonly path: readonly string[]
  /** A task for each item. */
  readonly fanOut: boolean
  /** The list of `#[…]`. */
  readonly items?: readonly unknown[]
}

export const FLOW_INPUT = 'flowInput'

const REFERENCE = /^(#)?@([\w-]+)((?:\.[^.\s]+)*)$/

/** What a text of an input refers to; undefined for a text that is only that, a problem where it is neither. */
export function parseReference(text: string, where: string): Reference | { readonly problem: string } | undefined {
  if (text.startsWith('@@')) return undefined
  if (text.startsWith('#[')) {
    try {
      return { where, of: undefined, path: [], fanOut: true, items: JSON.parse(text.slice(1)) as unknown[] }
    } catch {
      return { problem: `${where}: '${text}' is no JSON list after its '#'` }
    }
  }
  if (!text.startsWith('@') && !text.startsWith('#@') && !text.startsWith('*@')) return undefined
  const parts = REFERENCE.exec(text)
  if (parts === null) {
    return {
      problem: `${where}: '${text}' is no reference: write '@node', '#@node', '@node.field' or '@flowInput.field'`,
    }
  }
  const path = parts[3] === '' ? [] : parts[3]!.slice(1).split('.')
  return { where, of: parts[2]!, path, fanOut: parts[1] === '#' }
}

/** All references of an input, and what is wrong in it. */
export function referencesOf(input: readonly unknown[]): { references: Reference[]; problems: string[] } {
  const references: Reference[] = []
  const problems: string[] = []
  walk(input, 'input', (text, where) => {
    const found = parseReference(text, where)
    if (found === undefined) return
    if ('problem' in found) problems.push(found.problem)
    else references.push(found)
  })
  return { references, problems }
}

function walk(value: unknown, where: string, visit: (text: string, where: string) => void): void {
  if (typeof value === 'string') visit(value, where)
  else if (Array.isArray(value)) for (const [at, one] of value.entries()) walk(one, `${where}[${at}]`, visit)
  else if (isRecord(value)) for (const [key, one] of Object.entries(value)) walk(one, within(where, key), visit)
}

const PLAIN_KEY = /^[\w$-]+$/

function within(where: string, key: string): string {
  return PLAIN_KEY.test(key) ? `${where}.${key}` : `${where}[${JSON.stringify(key)}]`
}

/** An input that cannot be made of what is there. */
export class InputError extends Error {}

/** The inputs of a node's tasks: one list where it does not fan out. */
export interface Inputs {
  readonly fanOut: boolean
  readonly tasks: readonly (readonly unknown[])[]
}

/**
 * Puts what it refers to in place of each reference.
 *
 * @param lookUp gives what a name stands for: a node's result, or the flow's input
 */
export function resolveInputs(
  input: readonly unknown[],
  operation: 'indexed' | 'cartesian',
  lookUp: (name: string) => unknown,
): Inputs {
  const { references } = referencesOf(input)
  const values = new Map<string, unknown>()
  const lists: { where: string; items: readonly unknown[] }[] = []
  for (const reference of references) {
    const value = reference.items ?? follow(lookUp(reference.of!), reference)
    if (!reference.fanOut) {
      values.set(reference.where, value)
      continue
    }
    if (!Array.isArray(value)) {
      throw new InputError(`${reference.where}: ${nameOf(reference)} is to be fanned out and is no list`)
    }
    lists.push({ where: reference.where, items: value })
  }
  if (lists.length === 0) return { fanOut: false, tasks: [fill(input, 'input', values) as unknown[]] }
  const tasks = combinations(lists, operation).map((choice) => {
    for (const [at, { where }] of lists.entries()) values.set(where, choice[at])
    return fill(input, 'input', values) as unknown[]
  })
  return { fanOut: true, tasks }
}

function combinations(
  lists: readonly { where: string; items: readonly unknown[] }[],
  operation: 'indexed' | 'cartesian',
): unknown[][] {
  const [first, ...rest] = lists
  if (operation === 'cartesian') {
    return rest.reduce<unknown[][]>(
      (all, { items }) => all.flatMap((choice) => items.map((item) => [...choice, item])),
      first!.items.map((item) => [item]),
    )
  }
  const other = rest.find(({ items }) => items.length !== first!.items.length)
  if (other !== undefined) {
    throw new InputError(
      `${first!.where} has ${first!.items.length} items and ${other.where} ${other.items.length}: lists that are fanned out ` +
        "together are of one length, or 'batchOperation' is 'cartesian'",
    )
  }
  return first!.items.map((_, at) => lists.map(({ items }) => items[at]))
}

function fill(value: unknown, where: string, values: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === 'string') {
    if (values.has(where)) return values.get(where)
    return value.startsWith('@@') ? value.slice(1) : value
  }
  if (Array.isArray(value)) return value.map((one, at) => fill(one, `${where}[${at}]`, values))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, within(where, key), values)]))
}

function follow(start: unknown, reference: Reference): unknown {
  let value = start
  for (const key of reference.path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) {
      throw new InputError(`${reference.where}: there is no '${key}' in ${nameOf(reference)}`)
    }
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function nameOf({ of, path }: Reference): string {
  return of === undefined ? 'the list' : `'@${[of, ...path].join('.')}'`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
