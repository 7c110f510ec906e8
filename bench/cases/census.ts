import { generateCensus } from '../../examples/02-salary/generator'
import { type Census, type Person, readCensus } from '../../examples/02-salary/records'
import { findCensus } from '../harness/paths'

/** Tells measured processes where the records come from. */
export function censusVariables(asked: string | undefined): Record<string, string> {
  return { RXP_BENCH_DATA: findCensus(asked) ?? '' }
}

export async function censusFrom(data: string | undefined): Promise<Census> {
  return data === undefined ? generateCensus() : readCensus(data)
}

/** The records, in a measured process. */
export async function people(): Promise<Person[]> {
  return (await censusFrom(process.env.RXP_BENCH_DATA || undefined)).people
}
