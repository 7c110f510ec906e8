import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../package-root'
import { locatePython } from '../pool/locate'
import { type Command, parse, table } from './command'

/** This package's version. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version
}

export const info: Command = {
  name: 'info',
  summary: 'what this package, Node and the Python that a pool would take are',
  usage: `rxjs-python info [--python PATH]

  --python PATH   the Python to look at (default: as a pool finds it)`,
  async run(args, terminal) {
    const { values } = parse(args, { python: { type: 'string' } })
    const python = await locatePython(values.python)
    terminal.print(
      table([
        ['rxjs-python', packageVersion()],
        ['Node', process.versions.node],
        ['platform', `${process.platform} ${process.arch}`],
        ['Python', python.version.join('.')],
        ['executable', python.executable],
        ['library', python.library ?? "none: isolation 'process' only"],
      ]),
    )
    return 0
  },
}
