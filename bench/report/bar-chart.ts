/** Horizontal bars, the shortest first, as SVG text: less is better. */
import { document, FAINT, heading, INK, text } from './svg'

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
      if (bar.tail !== undefined && bar.tail > bar.value)
        parts.push(tailOf(y, length(bar.value), length(bar.tail), bar))
      return parts.join('')
    })
  const height = TOP + bars.length * STEP + 24
  const scale = logarithmic ? [text(16, height - 8, 'lengths are logarithmic', { size: 11, color: FAINT })] : []
  return document(title, WIDTH, height, [
    heading(title, WIDTH),
    text(16, 58, subtitle, { size: 13, color: FAINT }),
    ...rows,
    ...scale,
  ])
}

function rectangle(y: number, width: number, color: string, opacity: number): string {
  return `<rect x="${LEFT}" y="${y}" width="${Math.max(1, width).toFixed(1)}" height="${THICK}" rx="2" fill="${color}" fill-opacity="${opacity}"/>`
}

function tailOf(y: number, from: number, to: number, { color }: Bar): string {
  const middle = y + THICK / 2
  return `<path d="M${(LEFT + from).toFixed(1)} ${middle}H${(LEFT + to).toFixed(1)}" stroke="${color}" stroke-opacity="0.4" stroke-width="5"/>`
}
