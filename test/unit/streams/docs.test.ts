import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatWithOptions } from 'node:util'
import { describe, it } from 'mocha'
import ts from 'typescript'
import { packageRoot } from '../../../lib/package-root'

const MODULES: Record<string, string> = {
  rxjs: 'rxjs',
  'rxjs-python': '../../../lib/index',
  'rxjs-python/batch': '../../../lib/batch',
  'rxjs-python/streams': '../../../lib/streams',
  'rxjs-python/testing': '../../../lib/testing',
}

/** The examples of a page; the comment lines at the end of each say what it prints. */
function examples(page: string): { code: string; printed: string[] }[] {
  const text = readFileSync(join(packageRoot, 'docs', page), 'utf8')
  return [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => {
    const lines = code.trimEnd().split('\n')
    let first = lines.length
    while (lines[first - 1]?.startsWith('// ')) first--
    return { code, printed: lines.slice(first).map((line) => line.slice(3)) }
  })
}

// biome-ignore lint/complexity/useArrowFunction: an arrow function has no constructor of its own
const AsyncFunction = async function () {}.constructor as FunctionConstructor

const PAGES = { 'streams.md': 5, 'batch.md': 2 }

for (const [page, count] of Object.entries(PAGES))
  describe(`the examples of docs/${page}`, () => {
    examples(page).forEach(({ code, printed }, index) => {
      it(`number ${index + 1} prints what it says`, async () => {
        const { outputText } = ts.transpileModule(code, {
          compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
        })
        const lines: string[] = []
        const console = { log: (...args: unknown[]) => lines.push(...formatWithOptions({}, ...args).split('\n')) }
        const load = (name: string) => require(MODULES[name] ?? assert.fail(`no module ${name}`))
        await new AsyncFunction('require', 'exports', 'console', outputText)(load, {}, console)
        assert.deepEqual(lines, printed)
        assert.ok(printed.length > 0)
      })
    })

    it('are there', () => assert.equal(examples(page).length, count))
  })
