/** So many may be at work at a time; further ones wait, first come, first served. */
export class Slots {
  private taken = 0
  private readonly queue: (() => void)[] = []

  /** @param amount undefined: no limit */
  constructor(readonly amount: number | undefined) {}

  get free(): boolean {
    return this.amount === undefined || this.taken < this.amount
  }

  /** Resolves when there is a slot, with what gives it back; rejects with the signal's reason when that aborts first. */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (!this.free) await this.turn(signal)
    else this.taken++
    return this.giver()
  }

  /** Takes a slot also where there is none: for work that those who hold the slots wait for. */
  squeeze(): () => void {
    this.taken++
    return this.giver()
  }

  private giver(): () => void {
    let given = false
    return () => {
      if (given) return
      given = true
      // A slot that was squeezed in goes to nobody.
      const next = this.amount !== undefined && this.taken > this.amount ? undefined : this.queue.shift()
      if (next === undefined) this.taken--
      else next()
    }
  }

  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.queue.splice(this.queue.indexOf(begin), 1)
        reject(signal!.reason)
      }
      this.queue.push(begin)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}
