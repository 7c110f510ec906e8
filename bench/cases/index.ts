import type { Case } from '../harness/types'
import { arrayIn, arrayOut } from './arrays'
import { forest, forestColumns } from './forest'
import { identity } from './identity'
import { images } from './images'
import { json } from './json'
import { latency } from './latency'

export const cases: readonly Case[] = [identity, json, forest, forestColumns, arrayIn, arrayOut, images, latency]

export function findCase(name: string): Case {
  const found = cases.find((one) => one.name === name)
  if (found === undefined)
    throw new Error(`There is no case "${name}"; there are ${cases.map((c) => c.name).join(', ')}`)
  return found
}
