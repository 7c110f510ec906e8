/** Numbers from 0 up to 1, the same ones for the same seed. */
export type Random = () => number

/** A generator (mulberry32) whose start is a hash (FNV-1a) of the seed, so that near seeds are no near neighbours. */
export function seeded(seed: string | number): Random {
  let state = 0x811c9dc5
  for (const character of `${seed}`) state = Math.imul(state ^ character.codePointAt(0)!, 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A whole number from `from` up to `to`, both included. */
export function whole(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1))
}

export function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)]!
}
