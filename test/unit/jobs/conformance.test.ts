import { mkdtempSync, rmSync } from 'node:fs'
import { appendFile as append, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { appendFile, fileLines, idempotentSink, replay } from '../../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../../lib/testing'

function folder(): { path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), 'rxjs-python-'))
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) }
}

sourceConformance('fileLines', async () => {
  const { path, dispose } = folder()
  const file = join(path, 'lines')
  await writeFile(file, '')
  return {
    open: () => fileLines(file),
    put: (items) => append(file, items.map((item) => `${item}\n`).join('')),
    item: (at) => `line ${at}`,
    ends: true,
    replays: true,
    dispose,
  }
})

sourceConformance('replay', () => {
  const items: number[] = []
  return {
    open: () => replay(() => items.values()),
    put: (more: readonly number[]) => void items.push(...more),
    item: (at) => at,
    ends: true,
    replays: true,
  }
})

sinkConformance('appendFile', () => {
  const { path, dispose } = folder()
  const file = join(path, 'out')
  return {
    open: () => appendFile<string>(file),
    item: (at) => `result ${at}`,
    contents: async () => (await readFile(file, 'utf8').catch(() => '')).split('\n').slice(0, -1),
    guarantee: 'exactly-once',
    dispose,
  }
})

sinkConformance('idempotentSink', () => {
  const seen: number[] = []
  return {
    open: () => idempotentSink<number>(async ({ results }) => void seen.push(...results)),
    item: (at) => at,
    contents: () => seen,
    guarantee: 'at-least-once',
  }
})
