/** A graph as it is drawn: what stands in the boxes and at the lines, not where. */
export interface Picture {
  readonly title: string
  readonly nodes: readonly PictureNode[]
  readonly edges: readonly PictureEdge[]
  /** What lines of each flow are drawn with, in this order. */
  readonly flows: readonly string[]
}

export interface PictureNode {
  readonly id: string
  /** A second, smaller line. */
  readonly detail: string
  readonly shape: 'node' | 'input' | 'output'
  readonly python: boolean
}

export interface PictureEdge {
  readonly from: string
  readonly to: string
  /** `#` where a task is made for each item. */
  readonly label: string
  /** Of streaming graphs. */
  readonly flow?: string
}
