import type { Census, Income, Person } from './records'

/** As many records as the census file of 1994 has. */
export const CENSUS_SIZE = 32_561

type Weights = Readonly<Record<string, number>>

const EDUCATION: Readonly<Record<string, { years: number; weight: number }>> = {
  Preschool: { years: 1, weight: 2 },
  '1st-4th': { years: 2, weight: 5 },
  '5th-6th': { years: 3, weight: 10 },
  '7th-8th': { years: 4, weight: 20 },
  '9th': { years: 5, weight: 16 },
  '10th': { years: 6, weight: 29 },
  '11th': { years: 7, weight: 36 },
  '12th': { years: 8, weight: 13 },
  'HS-grad': { years: 9, weight: 322 },
  'Some-college': { years: 10, weight: 224 },
  'Assoc-voc': { years: 11, weight: 42 },
  'Assoc-acdm': { years: 12, weight: 33 },
  Bachelors: { years: 13, weight: 164 },
  Masters: { years: 14, weight: 53 },
  'Prof-school': { years: 15, weight: 18 },
  Doctorate: { years: 16, weight: 13 },
}
const EDUCATION_WEIGHTS: Weights = Object.fromEntries(Object.entries(EDUCATION).map(([name, e]) => [name, e.weight]))

const WORKCLASS: Weights = {
  Private: 697,
  'Self-emp-not-inc': 78,
  'Local-gov': 64,
  '?': 56,
  'State-gov': 40,
  'Self-emp-inc': 34,
  'Federal-gov': 30,
  'Without-pay': 1,
}

/** How a trade's share changes with schooling (`low`: no high school, `high`: a degree) and what it adds to the pay. */
const OCCUPATION: Readonly<Record<string, { low: number; middle: number; high: number; pay: number }>> = {
  'Exec-managerial': { low: 3, middle: 10, high: 25, pay: 1.0 },
  'Prof-specialty': { low: 1, middle: 4, high: 36, pay: 0.7 },
  'Tech-support': { low: 1, middle: 3, high: 4, pay: 0.5 },
  'Protective-serv': { low: 1, middle: 2, high: 2, pay: 0.3 },
  Sales: { low: 9, middle: 11, high: 13, pay: 0.3 },
  'Craft-repair': { low: 18, middle: 17, high: 3, pay: 0 },
  'Adm-clerical': { low: 5, middle: 14, high: 8, pay: 0 },
  'Transport-moving': { low: 9, middle: 6, high: 1, pay: -0.2 },
  'Machine-op-inspct': { low: 13, middle: 8, high: 1, pay: -0.4 },
  'Farming-fishing': { low: 7, middle: 3, high: 1, pay: -1.0 },
  'Handlers-cleaners': { low: 10, middle: 5, high: 1, pay: -0.8 },
  'Other-service': { low: 21, middle: 12, high: 3, pay: -1.0 },
  'Priv-house-serv': { low: 2, middle: 0.4, high: 0.1, pay: -1.6 },
  'Armed-Forces': { low: 0, middle: 0.1, high: 0, pay: 0 },
}

const RACE: Weights = { White: 854, Black: 96, 'Asian-Pac-Islander': 32, 'Amer-Indian-Eskimo': 10, Other: 8 }
const COUNTRY: Weights = {
  'United-States': 896,
  Mexico: 20,
  '?': 18,
  Philippines: 6,
  Germany: 4,
  Canada: 4,
  'Puerto-Rico': 4,
  'El-Salvador': 3,
  India: 3,
  Cuba: 3,
  England: 3,
  China: 2,
  Jamaica: 2,
  Italy: 2,
  Vietnam: 2,
  Japan: 2,
  Poland: 2,
}

/**
 * Records of the census file's shape: the same fields and values, shares close to the real ones, and an income that
 * follows from the fields, but for some luck. The same on every machine: only whole numbers and the four basic
 * operations are used, never `Math.log` and its like, whose last digit an engine may choose.
 */
export function generateCensus(count = CENSUS_SIZE, seed = 1994): Census {
  const dice = new Dice(seed)
  const census: Census = { people: [], incomes: [] }
  for (let index = 0; index < count; index += 1) {
    const person = generatePerson(dice)
    census.people.push(person)
    census.incomes.push(incomeOf(person, dice))
  }
  return census
}

function generatePerson(dice: Dice): Person {
  const age = 17 + Math.floor(66 * dice.low(2) + 3 * dice.next())
  const sex = dice.chance(0.67) ? 'Male' : 'Female'
  const education = educationOf(age, dice)
  const years = EDUCATION[education]!.years
  const status = maritalStatusOf(age, sex, dice)
  const workclass = dice.pick(WORKCLASS)
  const schooling = years < 9 ? 'low' : years < 13 ? 'middle' : 'high'
  const shares = Object.fromEntries(Object.entries(OCCUPATION).map(([name, trade]) => [name, trade[schooling]]))
  return {
    age,
    workclass,
    fnlwgt: 14_000 + Math.floor(200_000 * dice.middle() + 380_000 * dice.low(4)),
    education,
    'education-num': years,
    'marital-status': status,
    // Who did not name an employer did not name a trade either.
    occupation: workclass === '?' ? '?' : dice.pick(shares),
    relationship: relationshipOf(age, sex, status, dice),
    race: dice.pick(RACE),
    sex,
    'capital-gain': dice.chance(0.05 + 0.003 * years) ? Math.floor(600 + 24_000 * dice.low(2)) : 0,
    'capital-loss': dice.chance(0.045) ? Math.floor(1_300 + 1_200 * dice.middle()) : 0,
    'hours-per-week': hoursOf(age, dice),
    'native-country': dice.pick(COUNTRY),
  }
}

function educationOf(age: number, dice: Dice): string {
  const education = dice.pick(EDUCATION_WEIGHTS)
  const youngest = EDUCATION[education]!.years + 8
  return age >= youngest ? education : age < 19 ? '11th' : 'Some-college'
}

function maritalStatusOf(age: number, sex: string, dice: Dice): string {
  const man = sex === 'Male'
  if (age < 22) return dice.pick({ 'Never-married': 94, 'Married-civ-spouse': man ? 5 : 3, Separated: 1 })
  const settled = age < 28 ? 0.35 : age < 35 ? 0.75 : 1
  return dice.pick({
    'Married-civ-spouse': settled * (man ? 75 : 21),
    'Never-married': age < 28 ? 60 : age < 35 ? 30 : age < 50 ? 12 : 6,
    Divorced: settled * (man ? 11 : 38),
    Separated: man ? 2 : 7,
    Widowed: age < 35 ? 0.2 : age < 65 ? (man ? 1 : 12) : man ? 8 : 60,
    'Married-spouse-absent': 1.3,
    'Married-AF-spouse': 0.1,
  })
}

function relationshipOf(age: number, sex: string, status: string, dice: Dice): string {
  if (status === 'Married-civ-spouse' && dice.chance(0.97)) return sex === 'Male' ? 'Husband' : 'Wife'
  return dice.pick({
    'Not-in-family': 46,
    'Own-child': age < 25 ? 90 : age < 35 ? 25 : 6,
    Unmarried: status === 'Never-married' ? 8 : sex === 'Male' ? 18 : 46,
    'Other-relative': 5,
  })
}

function hoursOf(age: number, dice: Dice): number {
  if (dice.chance(0.47)) return 40
  if (age < 22 || age > 66) return 8 + Math.floor(40 * dice.middle())
  return dice.chance(0.6) ? 41 + Math.floor(24 * dice.low(2)) : 15 + Math.floor(25 * dice.next())
}

/** The rule that a model can learn: a sum of what the fields are worth, some luck, and a line to be above. */
function incomeOf(person: Person, dice: Dice): Income {
  const prime = person.age - 48
  const worth =
    0.34 * (person['education-num'] - 9) +
    (person['marital-status'] === 'Married-civ-spouse' ? 1.5 : -1.3) -
    0.0024 * prime * prime +
    0.035 * (person['hours-per-week'] - 40) +
    (OCCUPATION[person.occupation]?.pay ?? -0.5) +
    (person['capital-gain'] > 5_000 ? 4 : 0) +
    (person['capital-loss'] > 1_800 ? 1 : 0)
  return worth + 1.4 * dice.bell() > 1.75 ? '>50K' : '<=50K'
}

/** Numbers that look random and depend on nothing but the seed (the mulberry32 generator). */
class Dice {
  private state: number

  constructor(seed: number) {
    this.state = seed | 0
  }

  /** 0 to 1, all alike. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** 0 to 1, the lower numbers more often: the smallest of a few throws. */
  low(throws: number): number {
    let lowest = 1
    for (let left = throws; left > 0; left -= 1) lowest = Math.min(lowest, this.next())
    return lowest
  }

  /** 0 to 1, the middle more often. */
  middle(): number {
    return (this.next() + this.next() + this.next()) / 3
  }

  /** Around 0 with a spread of 1: close to a normal distribution, without its logarithm. */
  bell(): number {
    let sum = -6
    for (let left = 12; left > 0; left -= 1) sum += this.next()
    return sum
  }

  chance(likelihood: number): boolean {
    return this.next() < likelihood
  }

  pick(weights: Weights): string {
    const entries = Object.entries(weights)
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries[0]![0]
  }
}
