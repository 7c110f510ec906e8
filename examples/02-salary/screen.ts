import { Presets, SingleBar } from 'cli-progress'

/** What the demo shows. Everything goes to standard output; a bar is drawn only where somebody looks at it. */

/** Milliseconds between two drawings of the bar on a terminal, and between two lines where there is none. */
const REDRAW = { terminal: 80, lines: 2_000 }

/** A bar on a terminal; elsewhere a line now and then. */
export class Progress {
  private readonly bar: SingleBar
  private readonly started = performance.now()
  private done = 0

  constructor(label: string, total: number) {
    this.bar = new SingleBar(
      {
        format: `${label} {bar} {percentage}%  {value}/{total} records  {rate}/s`,
        stream: process.stdout,
        hideCursor: true,
        fps: 1000 / REDRAW.terminal,
        noTTYOutput: true,
        notTTYSchedule: REDRAW.lines,
      },
      Presets.shades_classic,
    )
    this.bar.start(total, 0, { rate: '–' })
  }

  /** One more record has come out. */
  step(): void {
    this.done += 1
    if (this.done % 64 === 0) this.update()
  }

  finish(): void {
    this.update()
    this.bar.stop()
  }

  private update(): void {
    this.bar.update(this.done, { rate: number(this.done / ((performance.now() - this.started) / 1000)) })
  }
}

/** A table with a rule under its heads, the columns as wide as they need to be, everything to the right. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padStart(widths[column]!)).join('   ')
  return [line(heads), widths.map((width) => '─'.repeat(width)).join('───'), ...rows.map(line)].join('\n')
}

/** 12345.6 as `12,346`, and small numbers with one digit after the point. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = value < 100 && !Number.isInteger(value) ? 1 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
