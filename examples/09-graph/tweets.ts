/** A short text that somebody has written. */
export interface Tweet {
  readonly id: number
  readonly writer: string
  readonly text: string
  /** Of those that people have judged, to learn from. */
  readonly glad?: boolean
}

/** Who is in the database. */
export const KNOWN = ['ada', 'alan', 'grace', 'edsger'] as const
const UNKNOWN = ['x7731', 'newcomer'] as const

const GLAD = ['great', 'lovely', 'fast', 'friendly', 'delicious']
const SAD = ['awful', 'slow', 'rude', 'broken', 'cold']
const SUBJECTS = ['the coffee', 'the train', 'this library', 'the service', 'my new phone', 'the weather']
const ENDS = ['today', 'again', 'as they said', 'in the end', '']

/** So many tweets, the same ones for a seed. Two of five turn their meaning round: 'not great'. One of ten is misjudged. */
export function tweets(count: number, seed: number): Tweet[] {
  const random = numbers(seed)
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  return Array.from({ length: count }, (_, id) => {
    const positive = random() < 0.5
    const turned = random() < 0.4
    const word = oneOf(positive ? GLAD : SAD)
    const text = `${oneOf(SUBJECTS)} is ${turned ? 'not ' : ''}${word} ${oneOf(ENDS)}`.trim()
    const writer = random() < 0.8 ? oneOf(KNOWN) : oneOf(UNKNOWN)
    return { id, writer, text, glad: (positive !== turned) !== random() < 0.1 }
  })
}

/** Evenly spread in [0, 1). */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
