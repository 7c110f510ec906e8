/** From so many on, a byte for each place takes less memory than a set. */
const MANY = 1024

/** Places that have changed since the last checkpoint. */
export class Marks {
  private few: Set<number> | undefined = new Set()
  private bytes = new Uint8Array(0)

  add(place: number): void {
    const { few } = this
    if (few === undefined) {
      if (place >= this.bytes.length) this.reach(place)
      this.bytes[place] = 1
      return
    }
    few.add(place)
    if (few.size < MANY) return
    this.few = undefined
    for (const one of few) this.add(one)
  }

  /** The places, each once, and forgets them. */
  take(): number[] {
    const places: number[] = []
    const { few, bytes } = this
    if (few !== undefined) places.push(...few)
    else for (let place = 0; place < bytes.length; place++) if (bytes[place] === 1) places.push(place)
    this.few = new Set()
    this.bytes = new Uint8Array(0)
    return places
  }

  private reach(place: number): void {
    const larger = new Uint8Array(Math.max(2 * MANY, 2 * place))
    larger.set(this.bytes)
    this.bytes = larger
  }
}
