/** A line chart with both axes logarithmic, as SVG text; each line is named where it ends, so there is no legend. */
import { short } from '../harness/stats'
import { document, FAINT, heading, text } from './svg'

export interface Point {
  readonly x: number
  readonly y: number
  readonly low: number
  readonly high: number
}

export interface Series {
  readonly label: string
  readonly color: string
  readonly width: number
  readonly dash?: string
  readonly points: readonly Point[]
}

export interface LineChart {
  readonly title: string
  readonly subtitle: string
  readonly xLabel: string
  readonly yLabel: string
  readonly footnote?: string
  /** What stands below a place on the x axis; default the number. */
  xText?(value: number): string
  /** What stands beside the end of a line; default three digits. */
  yText?(value: number): string
  readonly series: readonly Series[]
}

const WIDTH = 960
const HEIGHT = 540
const PLOT = { left: 76, right: 640, top: 86, bottom: 470 } as const
const LABEL_HEIGHT = 18

/** Maps a logarithmic range to a range of pixels. */
function logScale(low: number, high: number, from: number, to: number): Scale {
  const span = Math.log(high) - Math.log(low) || 1
  return (value) => from + ((Math.log(value) - Math.log(low)) / span) * (to - from)
}

export function lineChart(chart: LineChart): string {
  const { xText = (value) => value.toLocaleString('en'), yText = short } = chart
  const points = chart.series.flatMap((series) => series.points)
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b)
  const low = Math.min(...points.map((point) => point.low)) * 0.8
  const high = Math.max(...points.map((point) => point.high)) * 1.15
  const x = logScale(xs[0] ?? 1, xs.at(-1) ?? 1, PLOT.left + 14, PLOT.right - 8)
  const y = logScale(low, high, PLOT.bottom, PLOT.top)
  const parts = [
    heading(chart.title, WIDTH),
    text(PLOT.left - 60, 58, chart.subtitle, { size: 13, color: FAINT }),
    ...yAxis(low, high, y, yText),
    ...xs.map((value) => text(x(value), PLOT.bottom + 20, xText(value), { anchor: 'middle', size: 12 })),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 42, chart.xLabel, { anchor: 'middle', size: 13, color: FAINT }),
    text(PLOT.left - 60, PLOT.top - 8, chart.yLabel, { size: 12, color: FAINT }),
    ...chart.series.map((series) => line(series, x, y)),
    ...endLabels(chart.series, y, yText),
  ]
  if (chart.footnote !== undefined) parts.push(text(16, HEIGHT - 8, chart.footnote, { size: 11, color: FAINT }))
  return document(chart.title, WIDTH, HEIGHT, parts)
}

type Scale = (value: number) => number
type Show = (value: number) => string

function yAxis(low: number, high: number, y: Scale, show: Show): string[] {
  const parts: string[] = []
  const decades = Math.ceil(Math.log10(high / low))
  for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
    for (const factor of [1, 2, 5]) {
      const value = decade * factor
      if (value < low || value > high) continue
      parts.push(rule(y(value), factor === 1 ? '#c8d0d8' : '#eceff2'))
      // Where the range is small, powers of ten alone would leave the axis almost without numbers.
      if (factor !== 1 && decades > 3) continue
      // Above that it would touch the axis's name.
      if (y(value) < PLOT.top + 10) continue
      parts.push(text(PLOT.left - 8, y(value) + 4, axisNumber(value, show), { anchor: 'end', size: 12 }))
    }
  }
  return parts
}

function axisNumber(value: number, show: Show): string {
  return show(value)
    .replace(/(\.\d*?)0+(?=\D|$)/, '$1')
    .replace(/\.(?=\D|$)/, '')
}

function rule(at: number, color: string): string {
  return `<path d="M${PLOT.left} ${at.toFixed(1)}H${PLOT.right}" stroke="${color}"/>`
}

function line(series: Series, x: Scale, y: Scale): string {
  const { color, width, dash, points } = series
  const path = points.map(
    ({ x: px, y: py }, index) => `${index === 0 ? 'M' : 'L'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`,
  )
  const spread = points
    .filter(({ low, high }) => high > low)
    .map(({ x: px, low, high }) => `M${x(px).toFixed(1)} ${y(low).toFixed(1)}V${y(high).toFixed(1)}`)
  const dots = points.map(
    ({ x: px, y: py }) =>
      `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="${width + 1}" fill="${color}"/>`,
  )
  return [
    `<path d="${spread.join('')}" stroke="${color}" stroke-opacity="0.35" stroke-width="${width * 2}"/>`,
    `<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="${width}"${dash ? ` stroke-dasharray="${dash}"` : ''}/>`,
    ...dots,
  ].join('')
}

/** Names beside the last points, moved apart where they would cover each other. */
function endLabels(series: readonly Series[], y: Scale, show: Show): string[] {
  const labels = series
    .filter(({ points }) => points.length > 0)
    .map((one) => ({ one, wanted: y(one.points.at(-1)!.y), at: 0 }))
    .sort((a, b) => a.wanted - b.wanted)
  let free = PLOT.top
  for (const label of labels) {
    label.at = Math.max(label.wanted, free)
    free = label.at + LABEL_HEIGHT
  }
  let limit = PLOT.bottom + LABEL_HEIGHT
  for (const label of [...labels].reverse()) {
    label.at = Math.min(label.at, limit)
    limit = label.at - LABEL_HEIGHT
  }
  return labels.map(({ one, wanted, at }) => {
    const leader = `<path d="M${PLOT.right} ${wanted.toFixed(1)}L${PLOT.right + 16} ${at.toFixed(1)}" stroke="${one.color}" stroke-opacity="0.5" fill="none"/>`
    const weight = one.width > 2 ? 700 : 400
    const name = `${one.label} · ${show(one.points.at(-1)!.y)}`
    return leader + text(PLOT.right + 20, at + 4, name, { size: 13, color: one.color, weight })
  })
}
