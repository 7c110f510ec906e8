import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { cacheFolder } from './paths'

/** An npm package that we are compared with; installed beside the benchmark, never a dependency of ours. */
export interface Peer {
  readonly name: string
  readonly version: string
  /** Versions of its dependencies that it needs and does not ask for. */
  readonly overrides?: Readonly<Record<string, string>>
}

function folderOf(peer: Peer): string {
  return join(cacheFolder, 'peers', `${peer.name}-${peer.version}`)
}

/** The environment in which `python3` is the Python that the benchmark was given. */
export function withPython(baseFolder: string): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${baseFolder}${delimiter}${process.env.PATH ?? ''}` }
}

/** Installs the peer at the first run. Returns why it cannot be used, or undefined; a failure is remembered. */
export function installPeer(peer: Peer, baseFolder: string): string | undefined {
  const folder = folderOf(peer)
  const failed = join(folder, '.failed')
  const installed = join(folder, '.installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === baseFolder) return undefined
  if (existsSync(failed)) return `${readFileSync(failed, 'utf8')} (remove ${folder} to try again)`

  console.error(`installing ${peer.name} ${peer.version} to compare with`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, overrides: peer.overrides }))
  try {
    const args = ['install', '--no-fund', '--no-audit', '--loglevel=error', `${peer.name}@${peer.version}`]
    execFileSync('npm', args, { cwd: folder, env: withPython(baseFolder), stdio: 'pipe', timeout: 600_000 })
    readFileSync(join(folderOfPackage(peer), 'package.json'))
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? '').trim() || (error as Error).message
    const reason = `${peer.name} ${peer.version} does not install: ${said.split('\n').slice(-3).join(' ')}`
    writeFileSync(failed, reason)
    return reason
  }
  writeFileSync(installed, baseFolder)
  return undefined
}

/** Where an installed peer lies. */
export function folderOfPackage(peer: Peer): string {
  return join(folderOf(peer), 'node_modules', peer.name)
}

/** Loads an installed peer; for the measured process. */
export function requirePeer<T>(peer: Peer): T {
  return createRequire(join(folderOf(peer), 'package.json'))(peer.name) as T
}
