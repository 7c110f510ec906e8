import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { RequirementsError } from '../errors'

/** A requirements file, read. */
export interface RequirementsFile {
  /** The absolute path. */
  path: string
  /** A hash of all that it asks for: its lines, those of the files it includes, and the local packages it names. */
  hash: string
  /** How many packages it asks for directly, for progress. */
  packages: number
}

/** Reads a requirements file with what it includes (`-r`) and is constrained by (`-c`). */
export async function readRequirements(path: string): Promise<RequirementsFile> {
  const reader = new Reader(dirname(path))
  await reader.read(path)
  return { path, hash: reader.hash.digest('hex'), packages: reader.packages }
}

/** `-r file`, `--requirement=file` and so on: the option and the file. */
const INCLUDE = /^(?:-r|--requirement|-c|--constraint)(?:\s*=\s*|\s*)(.+)$/
/** A package that lies here: a path, a `file:` URL, a wheel or an archive, editable or not. */
const LOCAL =
  /^(?:(?:-e|--editable)(?:\s*=\s*|\s+))?(?:[\w.[\],-]+\s*@\s*)?(?:file:(?:\/\/)?)?((?:\.{0,2}\/|\.{1,2}$|~)[^\s;[]*|[^\s;:[]+\.(?:whl|tar\.gz|zip))/
/** What tells one state of a local folder from another without reading all of it. */
const METADATA = ['pyproject.toml', 'setup.py', 'setup.cfg']

class Reader {
  readonly hash = createHash('sha256')
  packages = 0
  readonly #seen = new Set<string>()

  /** @param folder where the installer runs: paths of local packages are relative to it */
  constructor(private readonly folder: string) {}

  async read(path: string, from?: string): Promise<void> {
    if (this.#seen.has(path)) return
    this.#seen.add(path)
    for (const line of logicalLines(await text(path, from))) {
      this.hash.update(`${line}\n`)
      const included = INCLUDE.exec(line)?.[1]
      if (included !== undefined) {
        const constraints = /^(-c|--constraint)/.test(line)
        const before = this.packages
        // A file on the net is known by its address alone.
        if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(included)) await this.read(resolve(dirname(path), included), path)
        if (constraints) this.packages = before
        continue
      }
      if (!line.startsWith('-') || /^(-e|--editable)/.test(line)) this.packages++
      const local = LOCAL.exec(line)?.[1]
      if (local !== undefined) await this.addLocal(resolve(this.folder, local))
    }
  }

  private async addLocal(path: string): Promise<void> {
    this.hash.update(`local ${path}\n`)
    for (const file of [path, ...METADATA.map((name) => join(path, name))]) {
      const found = await stat(file).catch(() => undefined)
      if (found?.isFile()) this.hash.update(`${file} ${found.size} ${found.mtimeMs}\n`)
    }
  }
}

async function text(path: string, from: string | undefined): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read'
    const named = from === undefined ? 'as the option `requirements` names it' : `which ${from} includes`
    throw new RequirementsError(`The requirements file ${path} ${reason}, ${named}.`, '', { cause })
  }
}

/** The lines that count: continued ones joined, without comments and empty ones. */
function logicalLines(content: string): string[] {
  return content
    .replace(/^\uFEFF/, '')
    .replace(/\\\r?\n/g, '')
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
}
