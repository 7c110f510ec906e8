/** Census records of 14 fields and an income, read from the UCI Adult file or made up from a seed. */
import { readFileSync } from 'node:fs'
import { seeded } from './random'

export interface CensusRecord {
  readonly fields: Record<string, string | number>
  readonly income: string
}

export const NUMBERS = ['age', 'fnlwgt', 'education-num', 'capital-gain', 'capital-loss', 'hours-per-week'] as const

const CATEGORIES = {
  workclass: ['Private', 'Self-emp-not-inc', 'Local-gov', 'State-gov', 'Self-emp-inc', 'Federal-gov', '?'],
  'marital-status': ['Married-civ-spouse', 'Never-married', 'Divorced', 'Separated', 'Widowed'],
  occupation: ['Prof-specialty', 'Craft-repair', 'Exec-managerial', 'Adm-clerical', 'Sales', 'Other-service', '?'],
  relationship: ['Husband', 'Not-in-family', 'Own-child', 'Unmarried', 'Wife', 'Other-relative'],
  race: ['White', 'Black', 'Asian-Pac-Islander', 'Amer-Indian-Eskimo', 'Other'],
  sex: ['Male', 'Female'],
  'native-country': ['United-States', 'Mexico', 'Philippines', 'Germany', 'Canada', '?'],
} as const

const SCHOOLING = ['9th', '10th', '11th', 'HS-grad', 'Some-college', 'Assoc-voc', 'Bachelors', 'Masters', 'Doctorate']

export function readCensus(path: string): CensusRecord[] {
  const [header = '', ...lines] = readFileSync(path, 'utf8').split('\n')
  const names = header.split(',').map((name) => name.trim())
  const records: CensusRecord[] = []
  for (const line of lines) {
    const values = line.split(',').map((value) => value.trim())
    if (values.length !== names.length) continue
    const fields: Record<string, string | number> = {}
    names.slice(0, -1).forEach((name, index) => {
      const value = values[index]!
      fields[name] = (NUMBERS as readonly string[]).includes(name) ? Number(value) : value
    })
    records.push({ fields, income: values.at(-1)! })
  }
  if (records.length === 0) throw new Error(`${path} holds no census records: its first line has to name the columns`)
  return records
}

export function makeCensus(count: number, seed: number): CensusRecord[] {
  const random = seeded(seed)
  return Array.from({ length: count }, () => makeRecord(random))
}

function makeRecord(random: () => number): CensusRecord {
  // The first values of each list come up more often, as in the real file.
  const pick = (values: readonly string[]) => values[Math.floor(random() ** 2 * values.length)]!
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
  const years = between(0, SCHOOLING.length - 1)
  const gain = random() < 0.08 ? between(1000, 15_000) : 0
  const fields: Record<string, string | number> = {
    age: between(17, 80),
    workclass: pick(CATEGORIES.workclass),
    fnlwgt: between(20_000, 500_000),
    education: SCHOOLING[years]!,
    'education-num': years + 5,
    'marital-status': pick(CATEGORIES['marital-status']),
    occupation: pick(CATEGORIES.occupation),
    relationship: pick(CATEGORIES.relationship),
    race: pick(CATEGORIES.race),
    sex: pick(CATEGORIES.sex),
    'capital-gain': gain,
    'capital-loss': random() < 0.05 ? between(1000, 2500) : 0,
    'hours-per-week': between(20, 60),
    'native-country': pick(CATEGORIES['native-country']),
  }
  const married = fields['marital-status'] === 'Married-civ-spouse' ? 2 : 0
  const score = years * 0.45 + married + gain / 3000 + Number(fields['hours-per-week']) / 20 + random() * 2
  return { fields, income: score > 7.5 ? '>50K' : '<=50K' }
}
