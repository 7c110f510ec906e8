/** A picture (SVG) of what a command prints, for the examples' pages. */

const LINE = 18
const LETTER = 7.8
const EDGE = 16
/** So much of a long output is drawn. */
const MOST_LINES = 40
const MOST_LETTERS = 118

export function terminalPicture(command: string, output: string): string {
  const lines = output.trimEnd().split('\n')
  const middle = ['…']
  const shown = lines.length <= MOST_LINES ? lines : [...lines.slice(0, 28), ...middle, ...lines.slice(-11)]
  const all = [`$ ${command}`, ...shown].map((line) =>
    line.length <= MOST_LETTERS ? line : `${line.slice(0, MOST_LETTERS - 1)}…`,
  )
  const width = Math.round(Math.max(60, ...all.map((line) => line.length)) * LETTER + 2 * EDGE)
  const height = all.length * LINE + 2 * EDGE
  const rows = all.map((line, at) => {
    const color = at === 0 || line.startsWith('$ ') ? '#7fd1b9' : '#e6e8eb'
    return `<text x="${EDGE}" y="${EDGE + 13 + at * LINE}" fill="${color}">${escaped(line)}</text>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`,
    `  font-family="ui-monospace, 'DejaVu Sans Mono', monospace" font-size="13" role="img" aria-label="${escaped(command)}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#1e2430"/>`,
    '<g xml:space="preserve">',
    ...rows,
    '</g>\n</svg>\n',
  ].join('\n')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
