/** Lines that run the project's own commands. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findCensus, packageFolder } from '../harness/paths'
import type { Outcome, Probe } from './line'

export interface Ended {
  readonly status: number | null
  readonly output: string
}

export function npm(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd: packageFolder, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output: Buffer.concat(chunks).toString('utf8') }))
  })
}

export function demoProbe(accuracy: number): Probe {
  return {
    lines: [{ name: 'demo ends with its table and an accuracy', target: `above ${accuracy}` }],
    async run({ data }) {
      const census = findCensus(data)
      const { status, output } = await npm(['run', 'demo', '--', ...(census === undefined ? [] : ['--data', census])])
      if (status !== 0) return [{ value: `the demo ended with ${status}: ${output.slice(-400)}`, holds: false }]
      const found = Number(/^accuracy: ([\d.]+)/m.exec(output)?.[1])
      const table = /records\/s/.test(output)
      const records = census === undefined ? 'made-up records: no census file is here' : 'the census file'
      return [
        { value: `${found}, ${table ? 'with' : 'without'} its table, on ${records}`, holds: table && found > accuracy },
      ]
    },
  }
}

function testFiles(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testFiles(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
}

/** Whether each error code that the package can give is looked for by a test. */
export const errorCodesProbe: Probe = {
  lines: [{ name: 'error codes that a test expects', target: 'all' }],
  async run() {
    const folder = join(packageFolder, 'lib', 'errors')
    const declared = readdirSync(folder)
      .map((file) => readFileSync(join(folder, file), 'utf8'))
      .join('')
    const codes = [...new Set(declared.match(/\bERR_[A-Z_]+\b/g) ?? [])]
    const tests = testFiles(join(packageFolder, 'test')).map((path) => readFileSync(path, 'utf8'))
    const missing = codes.filter((code) => !tests.some((source) => new RegExp(`\\b${code}\\b`).test(source)))
    const list = missing.length > 0 ? `, not ${missing.join(', ')}` : ''
    const value = `${codes.length - missing.length} of ${codes.length}${list}`
    return [{ value, holds: codes.length > 0 && missing.length === 0 }]
  },
}

export const testsProbe: Probe = {
  lines: [{ name: 'npm test', target: 'none failed' }],
  async run(): Promise<Outcome[]> {
    const { status, output } = await npm(['test'])
    const counts = [...output.matchAll(/(\d+) passed, (\d+) failed/g)].at(-1)
    if (counts === undefined) return [{ value: `ended with ${status} and no count of tests`, holds: false }]
    const passed = Number(counts[1])
    const failed = Number(counts[2])
    return [{ value: `${passed} passed, ${failed} failed`, holds: status === 0 && failed === 0 && passed > 0 }]
  },
}
