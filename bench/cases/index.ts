import type { Case } from '../harness/types'
import { forest } from './forest'
import { identity } from './identity'

export const cases: readonly Case[] = [identity, forest]

export function findCase(name: string): Case {
  const found = cases.find((one) => one.name === name)
  if (found === undefined)
    throw new Error(`There is no case "${name}"; there are ${cases.map((c) => c.name).join(', ')}`)
  return found
}
