import type { Person } from '../../examples/02-salary/records'
import type { Batch, Case } from '../harness/types'
import { censusVariables, people } from './census'
import { checkLength, cut, listCase } from './lists'

/** Reads all 14 fields of every record. */
export function consumePeople(results: Batch, batch: Batch): number {
  checkLength(results, batch)
  let sum = 0
  for (let index = 0; index < results.length; index += 1) {
    const one = results[index] as Person
    sum += one.age + one.fnlwgt + one['education-num'] + one['capital-gain'] + one['capital-loss']
    sum += one['hours-per-week'] + one.workclass.length + one.education.length + one['marital-status'].length
    sum += one.occupation.length + one.relationship.length + one.race.length + one.sex.length
    sum += one['native-country'].length
  }
  return sum
}

/** Records of 14 fields: objects in JavaScript, dicts in Python, and back. */
export const json: Case = {
  ...listCase,
  name: 'json',
  title: 'Census records of 14 fields through an empty handler',
  unit: 'records',
  payload: 'records',
  sizes: [1, 16, 256, 1024, 4096],
  module: 'identity',
  init: false,
  inFlight: () => [8],
  prepare: async (_, asked) => censusVariables(asked),
  batches: async (size) => cut(await people(), size),
  consume: consumePeople,
}
