/** Instructions by codec. */
export type Counts = Readonly<Record<string, number>>

/** How much more than the baseline is a failure. */
const WORSE = 0.05

export interface ComparedCount {
  readonly line: string
  readonly worse: boolean
}

/** Each count beside the baseline's; one that the baseline does not have cannot be worse. */
export function compareCounts(counts: Counts, baseline: Counts): ComparedCount[] {
  return Object.entries(counts).map(([codec, found]) => {
    const before = baseline[codec]
    const change = before === undefined ? undefined : found / before - 1
    const worse = change !== undefined && change > WORSE
    const beside = change === undefined ? 'no baseline' : `${change >= 0 ? '+' : ''}${(change * 100).toFixed(2)} %`
    return {
      worse,
      line: `${codec}: ${found.toLocaleString('en')} (${beside})${worse ? '  <- more than 5 % worse' : ''}`,
    }
  })
}
