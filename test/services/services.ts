/** `npm run services -- install NAME…`: the servers that tests in this folder start. Without names: all. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Installation, Unavailable } from './installing'

const folder = join(__dirname, 'servers')

/** What the files in `servers/` export as `installation`. */
export function installations(): Installation[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .flatMap((file) => (require(join(folder, file)) as { installation: Installation | Installation[] }).installation)
}

/** Installs what is not there; the problems. `Unavailable` is said, and is none. */
export function install(names: readonly string[]): string[] {
  const all = installations()
  const unknown = names.filter((name) => !all.some((one) => one.name === name))
  if (unknown.length > 0) return [`unknown: ${unknown.join(', ')}; known are ${all.map(({ name }) => name).join(', ')}`]
  const problems: string[] = []
  for (const one of all) {
    if (names.length > 0 && !names.includes(one.name)) continue
    if (one.installed()) continue
    const began = performance.now()
    try {
      one.install()
      if (!one.installed()) throw new Error('it was installed and is not there')
      console.log(`${one.name}: installed in ${((performance.now() - began) / 1000).toFixed(0)} s`)
    } catch (error) {
      const why = (error as Error).message
      if (error instanceof Unavailable) console.log(`${one.name}: left out, ${why}`)
      else problems.push(`${one.name}: ${why}`)
    }
  }
  return problems
}

if (require.main === module) {
  const [verb, ...names] = process.argv.slice(2)
  if (verb === 'list') {
    for (const one of installations()) console.log(`${one.name}: ${one.installed() ? 'there' : 'not installed'}`)
  } else if (verb === 'install') {
    const problems = install(names)
    for (const problem of problems) console.error(problem)
    process.exitCode = problems.length === 0 ? 0 : 1
  } else {
    console.log('npm run services -- install [NAME...] | list')
    process.exitCode = 2
  }
}
