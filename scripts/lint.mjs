// Formatters and linters of all three languages. `--fix` writes what they can mend; `--only=ts|native|python` runs one.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pythonTool } from './lint-tools.mjs'
import { root } from './node-gyp.mjs'

const fix = process.argv.includes('--fix')
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length)
const failures = []

if (wanted('ts')) {
  step('biome', bin('biome'), ['check', '--error-on-warnings', ...(fix ? ['--write'] : [])])
  step('entries of the package', process.execPath, ['scripts/entries.mjs', ...(fix ? [] : ['--check'])])
  step('tsc', bin('tsc'), ['--noEmit'])
}
if (wanted('native')) {
  const sources = filesUnder(['native', 'test'], ['.cc', '.h', '.c'])
  const clangFormat = pythonTool('clang-format')
  if (sources.length > 0) {
    step('clang-format', clangFormat, [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources])
  }
}
if (wanted('python')) {
  const ruff = pythonTool('ruff')
  step('ruff check', ruff, ['check', '--quiet', ...(fix ? ['--fix'] : []), '.'])
  step('ruff format', ruff, ['format', '--quiet', ...(fix ? [] : ['--check', '--diff']), '.'])
}
if (failures.length > 0) {
  console.error(`lint: ${failures.join(', ')} found something; npm run format mends what is only a matter of form`)
  process.exit(1)
}
console.log('lint: clean')

function wanted(part) {
  return only === undefined || only === part
}

function bin(name) {
  return join(root, 'node_modules', '.bin', name)
}

function step(name, command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (result.error) console.error(`${name}: ${result.error.message}`)
  if (result.status !== 0) failures.push(name)
}

function filesUnder(folders, endings) {
  return folders
    .filter((folder) => existsSync(join(root, folder)))
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && endings.some((ending) => entry.name.endsWith(ending)))
        .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name))),
    )
    .sort()
}
