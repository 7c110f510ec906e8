declare module 'tdigest' {
  /** The part of the package that is used here. */
  export class TDigest {
    constructor(delta?: number, K?: number, CX?: number)
    push(x: number, n?: number): void
    percentile(p: number): number | undefined
    toArray(): { mean: number; n: number }[]
    size(): number
  }
}
