/**
 * Says when somebody who catches up with a log stands still. While a long log is worked off more and more rows differ, almost to
 * the end, since they are as they were at some time in between: to come nearer is to get on in the log, or to have fewer
 * rows that differ than ever.
 */
export class Patience {
  private until: number | undefined
  private best = Number.POSITIVE_INFINITY
  private place: string | undefined

  constructor(private readonly milliseconds: number) {}

  /** `different` rows at the time `now`, `place` in the log. */
  isOver(different: number, place: string | undefined, now: number): boolean {
    const isNearer = different < this.best || place !== this.place
    this.best = Math.min(this.best, different)
    this.place = place
    if (isNearer) this.until = undefined
    this.until ??= now + this.milliseconds
    return now > this.until
  }
}
