import type { Picture, PictureNode } from './picture'

/** The picture as a Mermaid flowchart. */
export function toMermaid({ nodes, edges, flows }: Picture): string {
  const ids = new Map(nodes.map(({ id }, at) => [id, `n${at}`]))
  const lines = ['flowchart LR']
  for (const node of nodes) lines.push(`  ${ids.get(node.id)}${shape(node)}`)
  for (const { from, to, label, flow } of edges) {
    const text = [flow ?? '', label].filter((one) => one !== '').join(' ')
    const arrow = flow !== undefined && flows.indexOf(flow) > 0 ? '-.->' : '-->'
    lines.push(`  ${ids.get(from)} ${arrow}${text === '' ? '' : `|"${quoted(text)}"|`} ${ids.get(to)}`)
  }
  return `${lines.join('\n')}\n`
}

function shape({ id, detail, shape, python }: PictureNode): string {
  const second = [detail === id ? '' : detail, python ? 'Python' : ''].filter((one) => one !== '').join(', ')
  const text = `"${quoted(id)}${second === '' ? '' : `<br/>${quoted(second)}`}"`
  if (shape === 'input') return `[/${text}/]`
  return shape === 'output' ? `([${text}])` : `[${text}]`
}

function quoted(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '#quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
