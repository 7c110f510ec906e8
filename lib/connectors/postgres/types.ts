import type { CustomTypesConfig } from 'pg'
import { loadPg } from './connection'

/** Turns the text of a value into the value; `oid` is the type. */
export type ParseValue = (oid: number) => (text: string) => unknown

/** Dates, times and intervals stay texts: a Date has neither microseconds nor days without a time. */
const TEXTS = new Set([1082, 1083, 1114, 1184, 1266, 1186])
/** Arrays of those. */
const LISTS_OF_TEXTS = new Set([1182, 1183, 1115, 1185, 1270, 1187])
const TEXT_ARRAY = 1009

/** How `pg` reads values, but dates and times as texts. `own` may say otherwise for a type. */
export async function valueParser(own: ((oid: number) => ((text: string) => unknown) | undefined) | undefined) {
  const { types } = await loadPg()
  const parsers = new Map<number, (text: string) => unknown>()
  const parserOf: ParseValue = (oid) => {
    let parser = parsers.get(oid)
    if (parser === undefined) {
      parser = own?.(oid)
      if (parser === undefined) {
        if (TEXTS.has(oid)) parser = (text) => text
        else parser = types.getTypeParser(LISTS_OF_TEXTS.has(oid) ? TEXT_ARRAY : oid) as (text: string) => unknown
      }
      parsers.set(oid, parser)
    }
    return parser
  }
  return parserOf
}

/** The row whose values stand behind so many others. */
export function rowBehind<T>(before: number, names: readonly string[], values: readonly unknown[]): T {
  const row: Record<string, unknown> = {}
  for (let at = 0; at < names.length; at++) row[names[at]!] = values[at + before]
  return row as T
}

/** For the option `types` of one query: also keeps the texts of some columns as they come, row by row. */
export function typesKeeping(columns: readonly number[], parserOf: ParseValue) {
  const texts: string[][] = columns.map(() => [])
  let asked = 0
  // It is asked for one column after the other.
  const getTypeParser = (oid: number) => {
    const parser = parserOf(oid)
    const kept = texts[columns.indexOf(asked++)]
    if (kept === undefined) return parser
    return (text: string) => {
      kept.push(text)
      return parser(text)
    }
  }
  return { types: { getTypeParser } as CustomTypesConfig, texts }
}

/** For the option `types` of one query: its first so many columns stay texts. */
export function typesBehind(before: number, parserOf: ParseValue): CustomTypesConfig {
  let asked = 0
  // It is asked for one column after the other.
  const getTypeParser = (oid: number) => (asked++ < before ? (text: string) => text : parserOf(oid))
  return { getTypeParser } as CustomTypesConfig
}
