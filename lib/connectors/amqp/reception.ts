import type { Delivery, Receiver } from 'rhea'
import { written } from './connection'

/**
 * The messages of one receiver: what came, what of it was given, and the credit for more. The client writes what it is told of
 * neighbouring messages as one word, be they accepted or released: so each word is written before the next one is said.
 */
export class Reception {
  /** What came and is neither accepted nor released, with the how-manieth that was given; 0: not yet. */
  private readonly held = new Map<Delivery, number>()
  private given = 0
  private accepted = 0
  private over = false
  private saying: Promise<void> = Promise.resolve()

  constructor(
    private readonly receiver: Receiver,
    /** The broker keeps the subscription when the link ends. */
    private readonly lasting: boolean,
  ) {}

  /** How many were given and are not acknowledged. */
  get unsettled(): number {
    return this.given - this.accepted
  }

  /** Whether it is wanted here. What comes too late is for somebody else. */
  arrived(delivery: Delivery): boolean {
    this.held.set(delivery, 0)
    if (this.over) void this.release()
    return !this.over
  }

  /** Its number, for `accept`. */
  give(delivery: Delivery): number {
    this.held.set(delivery, ++this.given)
    return this.given
  }

  /** All that was given up to this one; as many may come for them. */
  accept(given: number): Promise<void> {
    return this.say(() => {
      let count = 0
      for (const [delivery, number] of this.held) {
        if (number === 0 || number > given) break
        delivery.accept()
        this.held.delete(delivery)
        this.accepted = number
        count++
      }
      if (!this.over) this.receiver.add_credit(count)
    })
  }

  /** No more is to come; what came and was not given is for somebody else. What was given may still be accepted. */
  async stop(): Promise<void> {
    if (this.over) return
    this.over = true
    await this.say(() => {})
    const receiver = this.receiver as Receiver & { credit: number }
    const { credit } = receiver
    // Credit that was given is taken back by saying that there is none. What is on its way still uses it: here it is counted on.
    receiver.credit = -1
    receiver.add_credit(1)
    await new Promise<void>((resolve) => process.nextTick(resolve))
    receiver.credit = credit
    await this.release()
  }

  /** Gives all back, and ends the link. */
  async close(): Promise<void> {
    await this.stop()
    for (const delivery of this.held.keys()) this.held.set(delivery, 0)
    await this.release()
    if (this.lasting) this.receiver.detach()
    else this.receiver.close()
    await written()
  }

  private release(): Promise<void> {
    return this.say(() => {
      for (const [delivery, number] of this.held) {
        if (number !== 0) continue
        delivery.release()
        this.held.delete(delivery)
      }
    })
  }

  /** One after the other. */
  private say(act: () => void): Promise<void> {
    this.saying = this.saying.then(async () => {
      try {
        act()
      } catch {
        // The connection has gone: the messages come again.
      }
      await written()
    })
    return this.saying
  }
}
