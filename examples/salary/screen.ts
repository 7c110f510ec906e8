/** What the demo shows. Everything goes to standard output; a bar is drawn only where somebody looks at it. */

const WIDTH = 32
/** Milliseconds between two drawings of the bar on a terminal, and between two lines where there is none. */
const REDRAW = { terminal: 80, lines: 2_000 }

export class Progress {
  private readonly terminal = process.stdout.isTTY === true
  private readonly started = performance.now()
  private shown = this.started
  private done = 0

  constructor(
    private readonly label: string,
    private readonly total: number,
  ) {
    if (this.terminal) this.draw()
  }

  /** One more record has come out. */
  step(): void {
    this.done += 1
    if (performance.now() - this.shown < (this.terminal ? REDRAW.terminal : REDRAW.lines)) return
    this.draw()
    this.shown = performance.now()
  }

  finish(): void {
    this.draw()
    if (this.terminal) process.stdout.write('\n')
  }

  private draw(): void {
    const share = this.total === 0 ? 1 : this.done / this.total
    const rate = this.done / ((performance.now() - this.started) / 1000)
    const facts = `${percent(share)}  ${this.done}/${this.total} records  ${number(rate)}/s`
    if (this.terminal) {
      const filled = Math.round(share * WIDTH)
      const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled)
      process.stdout.write(`\r${this.label} ${bar} ${facts}\x1b[K`)
    } else {
      console.log(`${this.label} ${facts}`)
    }
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

function percent(share: number): string {
  return `${Math.floor(share * 100)}%`.padStart(4)
}
