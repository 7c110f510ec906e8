/** What calls are kept together by: those with the same key are run by the same interpreter. */
export type Key = string | number

/** A number from the key's characters (FNV-1a). */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >> 8), 0x01000193)
  }
  return hash
}

/** Spreads the bits, so that numbers which differ little come out far apart (the end of MurmurHash3). */
function mix(hash: number): number {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/**
 * The place that a key belongs to, of these; -1 where there is none. Rendezvous hashing: each place draws a number for
 * the key, the highest one has it. So a place that is added takes only its share of the keys from the others, a place that
 * is removed gives away its own and no others, and the order of the places does not matter.
 */
export function placeOf(key: Key, places: readonly number[]): number {
  const hash = hashOf(String(key))
  let best = -1
  let most = -1
  for (const place of places) {
    const drawn = mix(hash ^ mix(Math.imul(place + 1, 0x9e3779b1)))
    if (drawn > most || (drawn === most && place < best)) {
      most = drawn
      best = place
    }
  }
  return best
}
