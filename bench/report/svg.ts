/** What charts are made of. */

export const INK = '#1f2933'
export const FAINT = '#66727f'

export interface TextStyle {
  readonly size: number
  readonly color?: string
  readonly weight?: number
  readonly anchor?: 'middle' | 'end'
}

export function text(x: number, y: number, content: string, style: TextStyle): string {
  const { size, color = INK, weight, anchor } = style
  const extra = `${weight ? ` font-weight="${weight}"` : ''}${anchor ? ` text-anchor="${anchor}"` : ''}`
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${Number(size.toFixed(1))}" fill="${color}"${extra}>${escapeXml(content)}</text>`
}

/** A chart's heading, smaller where it would not fit. */
export function heading(title: string, width: number): string {
  const size = Math.min(20, (width - 32) / (title.length * 0.62))
  return text(16, 34, title, { size, weight: 700 })
}

export function document(title: string, width: number, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    `  font-family="system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

export function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
