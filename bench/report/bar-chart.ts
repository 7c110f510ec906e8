/** Horizontal bars, the shortest first, as SVG text: less is better. */
import { document, FAINT, INK, text } from './svg'

export interface Bar {
  readonly label: string
  readonly color: string
  readonly strong: boolean
  /** The bar's length. */
  readonly value: number
  /** A mark further out: the tail of what the bar stands for. */
  readonly tail?: number
  readonly shown: string
}

export interface BarChart {
  readonly title: string
  readonly subtitle: string
  readonly bars: readonly Bar[]
}

const WIDTH = 960
const LEFT = 250
const RIGHT = 760
const TOP = 84
const STEP = 30
const THICK = 18

export function barChart({ title, subtitle, bars }: BarChart): string {
  const most = Math.max(...bars.map(({ value, tail = 0 }) => Math.max(value, tail)))
  const least = Math.min(...bars.map(({ value }) => value))
  // Where one is a hundred times another, lengths would say nothing but that.
  const logarithmic = most / least > 30
  const low = least / 2
  const length = (value: number) =>
    (RIGHT - LEFT) *
    (logarithmic ? Math.log(Math.max(value, low) / low) / Math.log(most / low) : Math.max(0, value) / most)
  const rows = [...bars]
    .sort((a, b) => a.value - b.value)
    .map((bar, index) => {
      const y = TOP + index * STEP
      const weight = bar.strong ? 700 : 400
      const end = LEFT + length(Math.max(bar.value, bar.tail ?? 0))
      const parts = [
        text(LEFT - 10, y + 14, bar.label, { size: 13, anchor: 'end', weight, color: bar.strong ? bar.color : INK }),
        rectangle(y, length(bar.value), bar.color, bar.strong ? 1 : 0.75),
        text(end + 8, y + 14, bar.shown, { size: 13, weight }),
      ]
      if (bar.tail !== undefined) parts.push(rectangle(y + 6, length(bar.tail), bar.color, 0.3, THICK - 12))
      return parts.join('')
    })
  const height = TOP + bars.length * STEP + 24
  const scale = logarithmic ? [text(16, height - 8, 'lengths are logarithmic', { size: 11, color: FAINT })] : []
  return document(title, WIDTH, height, [
    text(16, 34, title, { size: 20, weight: 700 }),
    text(16, 58, subtitle, { size: 13, color: FAINT }),
    ...rows,
    ...scale,
  ])
}

function rectangle(y: number, width: number, color: string, opacity: number, thick = THICK): string {
  return `<rect x="${LEFT}" y="${y}" width="${Math.max(1, width).toFixed(1)}" height="${thick}" rx="2" fill="${color}" fill-opacity="${opacity}"/>`
}
