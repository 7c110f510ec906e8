// The entries of the package are the lines of lib/main.ts. Run as a program, it writes them into package.json (`exports` and
// `typesVersions`); with --check it says whether they are there.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(fileURLToPath(import.meta.url), '..', '..')

/** Each entry's name and its file, such as `jobs: 'lib/jobs/index.ts'`. */
export const entries = Object.fromEntries(
  Array.from(readFileSync(join(root, 'lib', 'main.ts'), 'utf8').matchAll(/^export \* as (\w+) from '\.\/(.+)'$/gm))
    .map(([, name, path]) => [name, fileOf(path)])
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b)),
)

/** package.json with the entries in it. */
export function withEntries(manifest) {
  const inside = Object.keys(entries).filter((name) => name !== 'index')
  return {
    ...manifest,
    exports: {
      ...Object.fromEntries(
        Object.keys(entries).map((name) => [name === 'index' ? '.' : `./${name}`, conditions(name)]),
      ),
      './package.json': './package.json',
    },
    typesVersions: { '*': Object.fromEntries(inside.map((name) => [name, [`./dist/${name}.d.cts`]])) },
  }
}

function fileOf(path) {
  const file = `lib/${path}.ts`
  return existsSync(join(root, file)) ? file : `lib/${path}/index.ts`
}

function rank(name) {
  return name === 'index' ? 0 : 1
}

function conditions(name) {
  return {
    import: { types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` },
    require: { types: `./dist/${name}.d.cts`, default: `./dist/${name}.cjs` },
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, 'package.json')
  const before = readFileSync(path, 'utf8')
  const after = `${JSON.stringify(withEntries(JSON.parse(before)), null, 2)}\n`
  if (after !== before && process.argv.includes('--check')) {
    console.error('package.json lacks entries that lib/main.ts has: run `node scripts/entries.mjs`')
    process.exit(1)
  }
  if (after !== before) writeFileSync(path, after)
}
