import type { Picture, PictureEdge, PictureNode } from './picture'

const COLOURS = ['#1f77b4', '#d95f02', '#2ca02c', '#9467bd', '#8c564b', '#e377c2', '#17becf', '#7f7f7f']
const FONT = 'font-family="system-ui, sans-serif"'
const NODE_HEIGHT = 44
/** The part of a box's height, up and down from its middle, in which lines come and go. */
const SPREAD = 0.32
const MARGIN = 16
const TITLE_HEIGHT = 26

interface Point {
  x: number
  y: number
}

interface Box extends Point {
  width: number
  height: number
}

/** The picture as an SVG: nodes in layers from left to right, lines of each flow in a colour of their own. */
export function toSvg(picture: Picture): string {
  const layout = place(picture)
  const legend = picture.flows.length > 0 ? 22 : 0
  const width = Math.max(layout.width, 8 * picture.title.length) + 2 * MARGIN
  const height = layout.height + 2 * MARGIN + TITLE_HEIGHT + legend
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" role="img" aria-label="${escaped(picture.title)}">`,
    markers(picture),
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    `<text x="${MARGIN}" y="${MARGIN + 8}" ${FONT} font-size="15" font-weight="600" fill="#222222">${escaped(picture.title)}</text>`,
    `<g transform="translate(${MARGIN} ${MARGIN + TITLE_HEIGHT})">`,
    ...picture.edges.map((edge, at) => line(edge, layout.lines[at]!, colourOf(picture, edge.flow))),
    ...picture.nodes.map((node) => box(node, layout.boxes.get(node.id)!)),
    '</g>',
    ...picture.flows.map((flow, at) =>
      key(flow, COLOURS[at % COLOURS.length]!, MARGIN + legendAt(picture, at), height - 14),
    ),
    '</svg>',
  ]
  return `${parts.filter((part) => part !== '').join('\n')}\n`
}

function place({ nodes, edges }: Picture): {
  boxes: Map<string, Box>
  lines: { points: Point[]; label: Point | undefined }[]
  width: number
  height: number
} {
  // Loaded here: programs that draw nothing do without it.
  const { Graph, layout } = require('@dagrejs/dagre') as typeof import('@dagrejs/dagre')
  const graph = new Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'LR', nodesep: 22, edgesep: 14, ranksep: 60 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const node of nodes) graph.setNode(node.id, { width: widthOf(node), height: NODE_HEIGHT })
  for (const [at, { from, to, label }] of edges.entries()) {
    graph.setEdge(
      from,
      to,
      { width: label === '' ? 0 : 8 * label.length + 6, height: label === '' ? 0 : 14, labelpos: 'c' },
      `e${at}`,
    )
  }
  layout(graph)
  const boxes = new Map(nodes.map(({ id }) => [id, graph.node(id) as unknown as Box]))
  const corners = new Map(nodes.map((node) => [node.id, cornerOf(node)]))
  const lines = edges.map(({ from, to, label }, at) => {
    const found = graph.edge(from, to, `e${at}`) as unknown as { points: Point[] } & Partial<Point>
    const { x, y } = found
    const points = [
      edgeOf(boxes.get(from)!, corners.get(from)!, found.points[0]!, 1),
      ...found.points.slice(1, -1),
      edgeOf(boxes.get(to)!, corners.get(to)!, found.points.at(-1)!, -1),
    ]
    return { points, label: label === '' || x === undefined || y === undefined ? undefined : { x, y } }
  })
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number }
  return { boxes, lines, width, height }
}

function cornerOf({ shape }: PictureNode): number {
  return shape === 'node' ? 6 : NODE_HEIGHT / 2
}

/** Where a line meets the right (1) or left (-1) end of a box with round corners, about as high as the layout has it. */
function edgeOf({ x, y, width, height }: Box, corner: number, meant: Point, side: 1 | -1): Point {
  const most = height * SPREAD
  const away = Math.max(-most, Math.min(most, meant.y - y))
  const into = Math.max(0, Math.abs(away) - (height / 2 - corner))
  const round = corner - Math.sqrt(corner ** 2 - into ** 2)
  return { x: x + side * (width / 2 - round), y: y + away }
}

function widthOf({ id, detail, python }: PictureNode): number {
  const second = secondLine({ id, detail, python })
  return Math.max(60, 8.4 * id.length + 26, 6.6 * second.length + 26)
}

function secondLine({ id, detail, python }: Pick<PictureNode, 'id' | 'detail' | 'python'>): string {
  return [detail === id ? '' : detail, python ? 'Python' : ''].filter((one) => one !== '').join(' · ')
}

function box(node: PictureNode, { x, y, width, height }: Box): string {
  const [left, top] = [x - width / 2, y - height / 2]
  const fill =
    node.shape === 'output' ? '#fff4e0' : node.shape === 'input' ? '#eef6ee' : node.python ? '#eaf1fb' : '#f5f5f5'
  const corner = cornerOf(node)
  const second = secondLine(node)
  const first = second === '' ? y + 5 : y - 2
  return [
    `<rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${round(height)}" rx="${corner}" fill="${fill}" stroke="#555555"/>`,
    `<text x="${round(x)}" y="${round(first)}" ${FONT} font-size="14" text-anchor="middle" fill="#111111">${escaped(node.id)}</text>`,
    second === ''
      ? ''
      : `<text x="${round(x)}" y="${round(y + 14)}" ${FONT} font-size="11" text-anchor="middle" fill="#555555">${escaped(second)}</text>`,
  ].join('')
}

function line(
  { label, flow }: PictureEdge,
  { points, label: at }: { points: Point[]; label: Point | undefined },
  colour: string,
): string {
  const marker = flow === undefined ? 'arrow' : `arrow-${colour.slice(1)}`
  const path = `<path d="${curve(points)}" fill="none" stroke="${colour}" stroke-width="1.6" marker-end="url(#${marker})"/>`
  if (at === undefined) return path
  const width = 8 * label.length + 4
  const back = `<rect x="${round(at.x - width / 2)}" y="${round(at.y - 8)}" width="${width}" height="16" fill="#ffffff"/>`
  return `${path}${back}<text x="${round(at.x)}" y="${round(at.y + 4)}" ${FONT} font-size="12" text-anchor="middle" fill="${colour}">${escaped(label)}</text>`
}

/** Through the points, rounded where the way turns. */
function curve(points: readonly Point[]): string {
  const [start, ...rest] = points
  let path = `M${round(start!.x)} ${round(start!.y)}`
  for (const [at, point] of rest.entries()) {
    const next = rest[at + 1]
    if (next === undefined) path += ` L${round(point.x)} ${round(point.y)}`
    else
      path += ` Q${round(point.x)} ${round(point.y)} ${round((point.x + next.x) / 2)} ${round((point.y + next.y) / 2)}`
  }
  return path
}

function markers(picture: Picture): string {
  const colours = new Set(picture.edges.map(({ flow }) => colourOf(picture, flow)))
  const marker = (id: string, colour: string) =>
    `<marker id="${id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`
  const all = [...colours].map((colour) => marker(colour === PLAIN ? 'arrow' : `arrow-${colour.slice(1)}`, colour))
  return `<defs>${all.join('')}</defs>`
}

const PLAIN = '#444444'

function colourOf({ flows }: Picture, flow: string | undefined): string {
  return flow === undefined ? PLAIN : COLOURS[flows.indexOf(flow) % COLOURS.length]!
}

function legendAt({ flows }: Picture, at: number): number {
  return flows.slice(0, at).reduce((sum, flow) => sum + 8 * flow.length + 46, 0)
}

function key(flow: string, colour: string, x: number, y: number): string {
  return `<line x1="${x}" y1="${round(y - 4)}" x2="${x + 22}" y2="${round(y - 4)}" stroke="${colour}" stroke-width="2.4"/><text x="${x + 28}" y="${round(y)}" ${FONT} font-size="12" fill="#333333">${escaped(flow)}</text>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
