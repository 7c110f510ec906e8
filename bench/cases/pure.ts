import type { Case } from '../harness/types'
import { identity } from './identity'

/** Work for the interpreter itself, which nothing in C takes off it: what a GIL of one's own is for. */
export const pure: Case = {
  ...identity,
  name: 'pure',
  title: 'Strings of 40 characters through a loop of pure Python',
  module: 'pure',
}
