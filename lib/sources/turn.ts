/** How long a source may keep the JavaScript thread before timers and I/O get their turn, in milliseconds. */
const SLICE = 4
/** The most items that are pulled between two turns: an operator that passes items on later gets its turn, too. */
const BURST = 8192

/**
 * Says when a busy loop should let the event loop turn. Looks at the clock rarely where items are cheap, and for each
 * item where they are not.
 */
export class Turn {
  private sliceStart = performance.now()
  private stepStart = this.sliceStart
  private step = 1
  private left = 1
  private budget = BURST

  /** To be called when the event loop has just turned. */
  begin(): void {
    this.sliceStart = this.stepStart = performance.now()
    this.left = this.step
    this.budget = BURST
  }

  /**
   * To be called once for each item, also over several bursts without a turn between them, as when gates open and close
   * within microtasks; true when it is time to let the event loop turn.
   */
  spent(): boolean {
    return --this.left <= 0 && this.look()
  }

  private look(): boolean {
    const now = performance.now()
    this.budget -= this.step
    const took = now - this.stepStart
    if (took < SLICE / 8) this.step = Math.min(this.step * 2, 512)
    else if (took > SLICE / 4) this.step = Math.max(1, this.step >> 2)
    this.stepStart = now
    this.left = this.step
    return now - this.sliceStart >= SLICE || this.budget <= 0
  }
}
