import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ClientMissingError } from '../errors'

/**
 * Loads the client package of a connector when it is used: an optional peer, so only who uses the connector installs it.
 * `range` is a list of caret ranges: `'^5.0.0 || ^6.0.0'`.
 *
 * @throws ClientMissingError where it is not installed, or in another version
 */
export async function loadClient<Client>(name: string, range: string): Promise<Client> {
  const version = installedVersion(name)
  if (version !== undefined && !satisfies(version, range)) throw new ClientMissingError(name, range, version)
  try {
    // The name is a variable, so that no bundler takes the package in.
    return plain(await import(name)) as Client
  } catch (error) {
    if (version === undefined && isMissing(error))
      throw new ClientMissingError(name, range, undefined, { cause: error })
    throw error
  }
}

/** Whether a version is within one of the caret ranges. */
export function satisfies(version: string, range: string): boolean {
  const [major = 0, minor = 0, patch = 0] = numbersOf(version)
  return range.split('||').some((one) => {
    const [wantedMajor = 0, wantedMinor = 0, wantedPatch = 0] = numbersOf(one.replace('^', ''))
    if (major !== wantedMajor) return false
    if (major === 0 && minor !== wantedMinor) return false
    return minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch)
  })
}

function numbersOf(version: string): number[] {
  return version
    .trim()
    .split('-', 1)[0]!
    .split('.')
    .map((part) => Number.parseInt(part, 10) || 0)
}

function installedVersion(name: string): string | undefined {
  const folders = createRequire(__filename).resolve.paths(name) ?? []
  for (const folder of folders) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')) as { version: string }).version
    } catch {
      // Not in this folder: the next one is further up.
    }
  }
  return undefined
}

function isMissing(error: unknown): boolean {
  const { code } = error as { code?: string }
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
}

/** What the package exports, also where it is CommonJS and arrives as the default of a namespace. */
function plain(imported: Record<string, unknown>): unknown {
  const inner = imported.default
  if (inner === null || (typeof inner !== 'object' && typeof inner !== 'function')) return imported
  const names = Object.keys(imported).filter((name) => name !== 'default' && name !== 'module.exports')
  return names.every((name) => name in inner) ? inner : imported
}
