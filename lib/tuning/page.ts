/** The page of the live chart: the values of all trials, the best so far, and each hyper-parameter against the value. */
export function page(
  name: string,
  direction: 'minimize' | 'maximize',
  trials: number,
  /** Hyper-parameters that are drawn on a logarithmic axis. */
  logarithmic: readonly string[],
): string {
  const title = escaped(name)
  const words = direction === 'minimize' ? 'lower is better' : 'higher is better'
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>${STYLE}</style></head>
<body><header><h1>${title}</h1><span id="state">waiting for trials</span></header>
<section class="tiles">
<div><b id="made">0</b><span>of ${trials} trials</span></div><div><b id="running">0</b><span>running</span></div>
<div><b id="failed">0</b><span>failed</span></div><div class="best"><b id="best">–</b><span id="params">best value, ${words}</span></div>
</section>
<figure><figcaption>Value of each trial, and the best so far</figcaption><svg id="history" viewBox="0 0 900 260"></svg></figure>
<section id="each"></section>
<table><thead><tr id="head"></tr></thead><tbody id="rows"></tbody></table>
<script>const SIGN = ${direction === 'minimize' ? 1 : -1}, LOGARITHMIC = new Set(${inScript(logarithmic)})
${SCRIPT}</script></body></html>
`
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
}

/** A value as a part of a script, which nothing in it can end. */
function inScript(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #69758a; --line: #e3e7ee; --paper: #fff; --back: #f5f7fa; --dot: #4c78d0; --best: #d9822b }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf3; --soft: #93a0b5; --line: #2c3442; --paper: #1a2029; --back: #12161d; --dot: #7ba3f0 } }
* { box-sizing: border-box } body { margin: 0 auto; max-width: 960px; padding: 24px; background: var(--back); color: var(--ink); font: 14px/1.5 system-ui, sans-serif }
header { display: flex; align-items: baseline; gap: 12px } h1 { margin: 0; font-size: 22px } #state, .tiles span { color: var(--soft) }
.tiles { display: flex; gap: 12px; margin: 16px 0; flex-wrap: wrap } .tiles div, figure, table { background: var(--paper); border: 1px solid var(--line); border-radius: 10px }
.tiles div { padding: 10px 16px; min-width: 110px } .tiles b { display: block; font-size: 22px; font-variant-numeric: tabular-nums } .tiles .best { flex: 1 } .best b { color: var(--best) }
figure { margin: 0 0 12px; padding: 12px 16px } figcaption { color: var(--soft); margin-bottom: 4px } svg { width: 100%; display: block }
#each { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 12px }
table { width: 100%; border-collapse: separate; border-spacing: 0; font-variant-numeric: tabular-nums } th, td { text-align: left; padding: 6px 12px; border-top: 1px solid var(--line) }
th { border: 0; color: var(--soft); font-weight: 500 } tr.best td { color: var(--best); font-weight: 600 } .failed { color: #c23b3b }
circle { fill: var(--dot); fill-opacity: .75 } circle.best { fill: var(--best); fill-opacity: 1 } .path { fill: none; stroke: var(--best); stroke-width: 2 }
.axis { stroke: var(--line) } text { fill: var(--soft); font-size: 11px } circle.late { animation: in .4s } @keyframes in { from { r: 0 } }`

const SCRIPT = `
const trials = new Map(), running = new Set(), $ = (id) => document.getElementById(id)
let drawn = new Set(), over = false, due = false
const text = (value) => typeof value === 'number' && !Number.isInteger(value) ? String(+value.toPrecision(5)) : String(value)
const node = (name, attributes, inside) => {
  const one = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in attributes) one.setAttribute(key, attributes[key])
  if (inside !== undefined) one.textContent = inside
  return one
}
const better = (a, b) => !b || SIGN * a.value < SIGN * b.value ? a : b
const short = (value) => text(typeof value === 'number' ? +value.toPrecision(3) : value)
function scale(values, from, to, as = (value) => value) {
  const least = Math.min(...values), most = Math.max(...values)
  let low = as(least), high = as(most)
  if (low === high) { low -= 1; high += 1 }
  return Object.assign((value) => from + (to - from) * (as(value) - low) / (high - low), { low: as === Math.log ? least : low, high: as === Math.log ? most : high })
}
function frame(svg, x, y, width, height, labels) {
  svg.replaceChildren()
  for (const part of [0, .5, 1]) {
    const at = height - 24 - part * (height - 40), value = y.low + part * (y.high - y.low)
    svg.append(node('line', { class: 'axis', x1: 46, x2: width - 8, y1: at, y2: at }), node('text', { x: 42, y: at + 4, 'text-anchor': 'end' }, short(value)))
  }
  labels.forEach(([at, label]) => svg.append(node('text', { x: at, y: height - 6, 'text-anchor': 'middle' }, label)))
}
function dots(svg, list, best, at) {
  // The best one lies on top.
  for (const trial of [...list.filter((one) => one !== best), best]) {
    const [cx, cy] = at(trial)
    const dot = node('circle', { cx, cy, r: trial === best ? 5 : 3.5, class: (trial === best ? 'best ' : '') + (drawn.has(trial.number) ? '' : 'late') })
    dot.append(node('title', {}, 'trial ' + trial.number + ': ' + text(trial.value) + ' ' + JSON.stringify(trial.params)))
    svg.append(dot)
  }
}
function draw() {
  due = false
  const all = [...trials.values()].sort((a, b) => a.number - b.number), good = all.filter((one) => one.value !== null)
  const best = good.reduce((so, one) => better(one, so), undefined)
  $('made').textContent = all.length
  $('running').textContent = running.size
  $('failed').textContent = all.length - good.length
  $('state').textContent = over ? 'complete' : 'live'
  if (best) {
    $('best').textContent = text(best.value)
    $('params').textContent = 'trial ' + best.number + ': ' + Object.entries(best.params).map(([key, value]) => key + ' = ' + text(value)).join(', ')
    const y = scale(good.map((one) => one.value), 236, 16), last = Math.max(1, all.at(-1).number), x = (one) => 56 + 826 * one.number / last
    frame($('history'), x, y, 900, 260, [[56, '0'], [882, String(last)]])
    let so, path = ''
    for (const one of good) { so = better(one, so); path += (path ? 'H' + x(one) + 'V' : 'M' + x(one) + ' ') + y(so.value) }
    $('history').append(node('path', { class: 'path', d: path + 'H882' }))
    dots($('history'), good, best, (one) => [x(one), y(one.value)])
    parameters(good, best)
    drawn = new Set(trials.keys())
  }
  rows(all, best)
}
function parameters(good, best) {
  for (const name of Object.keys(best.params)) {
    let svg = $('param ' + name)
    if (!svg) {
      const figure = document.createElement('figure'), caption = document.createElement('figcaption')
      caption.textContent = name + ' and the value'
      svg = node('svg', { id: 'param ' + name, viewBox: '0 0 300 180' })
      figure.append(caption, svg)
      $('each').append(figure)
    }
    const values = good.map((one) => one.params[name]), numbers = values.every((value) => typeof value === 'number')
    const kinds = [...new Set(values.map(String))].sort(), y = scale(good.map((one) => one.value), 156, 16)
    const place = numbers ? scale(values, 58, 284, LOGARITHMIC.has(name) ? Math.log : undefined) : (value) => 171 + 226 * (kinds.indexOf(String(value)) - (kinds.length - 1) / 2) / kinds.length
    const labels = numbers ? [[58, short(place.low)], [276, short(place.high)]] : kinds.map((kind) => [place(kind), kind])
    frame(svg, place, y, 300, 180, labels)
    dots(svg, good, best, (one) => [place(one.params[name]), y(one.value)])
  }
}
function rows(all, best) {
  const names = [...new Set(all.flatMap((one) => Object.keys(one.params)))]
  const cells = (kind, values) => values.map((value) => { const cell = document.createElement(kind); cell.textContent = value; return cell })
  $('head').replaceChildren(...cells('th', ['trial', 'value', ...names, 'time']))
  $('rows').replaceChildren(...all.slice(-50).reverse().map((one) => {
    const row = document.createElement('tr')
    row.className = one === best ? 'best' : one.value === null ? 'failed' : ''
    const time = one.started && one.ended ? ((one.ended - one.started) / 1000).toFixed(2) + ' s' : ''
    row.append(...cells('td', [one.number, one.value === null ? one.error : text(one.value), ...names.map((name) => text(one.params[name])), time]))
    return row
  }))
}
const events = new EventSource('/events')
events.onopen = () => { trials.clear(); running.clear() }
events.onmessage = ({ data }) => {
  const { begin, trial, best } = JSON.parse(data)
  if (begin) running.add(begin.number)
  if (trial) { running.delete(trial.number); trials.set(trial.number, trial) }
  if (best) { over = true; events.close() }
  if (!due) { due = true; requestAnimationFrame(draw) }
}
events.onerror = () => { if (!over) $('state').textContent = 'the program has gone' }`
