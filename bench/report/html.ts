/** The report as one HTML file that needs nothing else. */
import type { Chart } from './charts'
import type { Facts } from './facts'
import { factLines } from './facts'
import { escapeXml } from './svg'
import type { Table } from './table'

const STYLE = `
body { font: 15px/1.5 system-ui, 'Segoe UI', sans-serif; color: #1f2933; max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
figure { margin: 2rem 0 } svg { max-width: 100%; height: auto; border: 1px solid #e4e8ec; border-radius: 6px }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid #e4e8ec; white-space: nowrap }
th:first-child, td:first-child { text-align: left } tr.ours td { font-weight: 600; color: #0b3fae } h2 { margin-top: 2.5rem }
`

export function htmlReport(facts: Facts, charts: readonly Chart[], tables: readonly Table[]): string {
  const list = factLines(facts).map((line) => `<li>${escapeXml(line)}</li>`)
  const figures = charts.map(({ svg }) => `<figure>${svg}</figure>`)
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width"><title>rxjs-python: benchmark</title>',
    `<style>${STYLE}</style>`,
    '<h1>rxjs-python: benchmark</h1>',
    `<ul>${list.join('')}</ul>`,
    ...figures,
    '<h2>All figures</h2>',
    ...tables.map(tableHtml),
    '</html>\n',
  ].join('\n')
}

function tableHtml({ title, header, rows }: Table): string {
  const cells = (texts: readonly string[], tag: string) =>
    texts.map((text) => `<${tag}>${escapeXml(text)}</${tag}>`).join('')
  const body = rows.map(({ ours, cells: texts }) => `<tr${ours ? ' class="ours"' : ''}>${cells(texts, 'td')}</tr>`)
  return `<h3>${escapeXml(title)}</h3><table><tr>${cells(header, 'th')}</tr>${body.join('')}</table>`
}
