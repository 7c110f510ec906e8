import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder, resultsFolder } from '../harness/paths'
import type { Result } from '../harness/rounds'
import { chartsOf } from './charts'
import type { Facts } from './facts'
import { htmlReport } from './html'
import { benchmarksFile } from './markdown'
import { toPng } from './png'
import { tablesOf } from './table'

/** Results are shown to others, whom the folders of this machine do not concern. */
function withoutPaths(result: Result): object {
  const { python: _, ...job } = result.job
  return { ...result, job }
}

/** JSON, charts and the HTML report into `bench/results`; with `record` also BENCHMARKS.md and its charts. */
export function writeResults(facts: Facts, results: readonly Result[], record: boolean): void {
  const charts = chartsOf(results)
  const tables = tablesOf(results)
  mkdirSync(resultsFolder, { recursive: true })
  const json = JSON.stringify({ ...facts, results: results.map(withoutPaths) }, null, 2)
  writeFileSync(join(resultsFolder, 'bench.json'), `${json}\n`)
  writeFileSync(join(resultsFolder, 'report.html'), htmlReport(facts, charts, tables))
  for (const { name, svg } of charts) {
    writeFileSync(join(resultsFolder, `${name}.svg`), svg)
    const png = toPng(svg)
    if (png === undefined) console.error(`${name}.png is not written: @resvg/resvg-js has no binary for this system`)
    else writeFileSync(join(resultsFolder, `${name}.png`), png)
  }
  if (!record) return
  const pictures = join(packageFolder, 'docs', 'benchmarks')
  mkdirSync(pictures, { recursive: true })
  for (const { name, svg } of charts) writeFileSync(join(pictures, `${name}.svg`), svg)
  const path = join(packageFolder, 'BENCHMARKS.md')
  const before = existsSync(path) ? readFileSync(path, 'utf8') : ''
  writeFileSync(path, benchmarksFile(facts, results, charts, tables, before))
}
