import { readFile } from 'node:fs/promises'

/** A person as the census asked about them. `'?'` stands for what is not known. */
export interface Person {
  age: number
  workclass: string
  fnlwgt: number
  education: string
  'education-num': number
  'marital-status': string
  occupation: string
  relationship: string
  race: string
  sex: string
  'capital-gain': number
  'capital-loss': number
  'hours-per-week': number
  'native-country': string
}

export type Income = '<=50K' | '>50K'

/** What the model says about a person: the likelier income and how likely it is (0.5 to 1). */
export interface Salary {
  probability: number
  income: Income
}

export interface Census {
  people: Person[]
  incomes: Income[]
}

const NUMBERS = new Set(['age', 'fnlwgt', 'education-num', 'capital-gain', 'capital-loss', 'hours-per-week'])
const FIELDS = [
  ...['age', 'workclass', 'fnlwgt', 'education', 'education-num', 'marital-status', 'occupation', 'relationship'],
  ...['race', 'sex', 'capital-gain', 'capital-loss', 'hours-per-week', 'native-country', 'target'],
]

/**
 * Reads a census file: a header line, then a record a line, the fields parted by a comma and a space.
 *
 * @param limit how many records to read at most
 */
export async function readCensus(file: string, limit = Number.POSITIVE_INFINITY): Promise<Census> {
  const [header = '', ...lines] = (await readFile(file, 'utf8')).split(/\r?\n/)
  const names = header.split(',').map((name) => name.trim())
  const missing = FIELDS.filter((field) => !names.includes(field))
  if (missing.length > 0) throw new Error(`${file}: the header line lacks ${missing.join(', ')}`)

  const census: Census = { people: [], incomes: [] }
  for (const [index, line] of lines.entries()) {
    if (census.people.length >= limit) break
    if (line.trim() === '') continue
    const values = line.split(',').map((value) => value.trim())
    if (values.length !== names.length) {
      throw new Error(`${file}, line ${index + 2}: ${values.length} fields where the header has ${names.length}`)
    }
    const fields = names.map((name, column) => [name, NUMBERS.has(name) ? Number(values[column]) : values[column]!])
    const { target, ...person } = Object.fromEntries(fields)
    census.people.push(person)
    census.incomes.push(target)
  }
  return census
}

/** The text that `readCensus` reads. */
export function writeCensus({ people, incomes }: Census): string {
  const lines = people.map((person, index) => {
    const record: Record<string, string | number> = { ...person, target: incomes[index]! }
    return FIELDS.map((field) => record[field]).join(', ')
  })
  return `${[FIELDS.join(', '), ...lines].join('\n')}\n`
}
