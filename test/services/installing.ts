/** Ways to get servers onto a machine. Each does nothing where the server is there already. */
import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What is installed into the project lies here, not under version control. */
export const cache = join(__dirname, '..', '..', '.cache', 'services')

/** How a service gets onto this machine. */
export interface Installation {
  readonly name: string
  /** Whether it is there. */
  installed(): boolean
  /** Puts it there. Throws where it fails; `Unavailable` where this machine is not made for it. */
  install(): void
}

/** The machine lacks what an installation needs, so its tests are left out, and said to be. */
export class Unavailable extends Error {}

/** Packages of Debian or Ubuntu. `program` is looked for; services of the system are not started. */
export function debian(name: string, packages: readonly string[], program: string): Installation {
  return {
    name,
    installed: () => existsSync(program),
    install() {
      if (process.getuid?.() !== 0 || run('apt-get', ['--version'], true) !== 0) {
        throw new Unavailable(`it takes root, and apt-get, to install ${packages.join(' ')}`)
      }
      withoutStarting(() => {
        const install = ['install', '-y', '-qq', '--no-install-recommends', ...packages]
        if (run('apt-get', install) === 0) return
        run('apt-get', ['update', '-qq'])
        demand('apt-get', install)
      })
    },
  }
}

/** Jars and all that they need, from Maven Central, as `.cache/services/NAME/*.jar`. */
export function maven(name: string, coordinates: readonly string[]): Installation & { readonly libraries: string } {
  const libraries = join(cache, name)
  return {
    name,
    libraries,
    installed: () => existsSync(libraries),
    install() {
      if (run('mvn', ['--version'], true) !== 0) throw new Unavailable('it takes Maven and a JDK')
      const work = `${libraries}.part`
      rmSync(work, { recursive: true, force: true })
      mkdirSync(work, { recursive: true })
      writeFileSync(join(work, 'pom.xml'), pom(coordinates))
      const target = `-DoutputDirectory=${join(work, 'libraries')}`
      demand('mvn', ['-q', '-B', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies', target])
      renameSync(join(work, 'libraries'), libraries)
      rmSync(work, { recursive: true, force: true })
    },
  }
}

/** A program in Go, as `.cache/services/NAME`. `module` has its version: `example.com/server@v1.2.3`. */
export function golang(name: string, module: string, binary: string): Installation & { readonly program: string } {
  const program = join(cache, binary)
  return {
    name,
    program,
    installed: () => existsSync(program),
    install() {
      const go = ['go', '/usr/local/go/bin/go'].find((one) => run(one, ['version'], true) === 0)
      if (go === undefined) throw new Unavailable('it takes Go')
      mkdirSync(cache, { recursive: true })
      demand(go, ['install', '-p', '2', module], { GOBIN: cache, CGO_ENABLED: '0' })
    },
  }
}

/**
 * A client that is compiled where it is installed, as `.cache/services/NAME` with a link in `node_modules`: minutes that
 * `npm install` need not take, and `npm install` takes nothing but the link away again. `binary` is a path in the package.
 */
export function compiled(name: string, client: string, range: string, binary: string, env = {}): Installation {
  const folder = join(cache, name)
  const built = join(folder, 'node_modules', client)
  const link = join(__dirname, '..', '..', 'node_modules', client)
  return {
    name,
    installed: () => existsSync(join(link, binary)),
    install() {
      if (!existsSync(join(built, binary))) {
        if (run('make', ['--version'], true) !== 0) throw new Unavailable('it takes a C++ compiler')
        rmSync(folder, { recursive: true, force: true })
        mkdirSync(folder, { recursive: true })
        writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, private: true }))
        // Two compilers at a time, and not as many as there are files.
        const settings = { MAKEFLAGS: '-j2', JOBS: '2', ...env }
        try {
          demand(
            'npm',
            ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${client}@${range}`],
            settings,
            folder,
          )
          // Not every makefile is meant for two compilers: what it says is missing has been made the second time.
          if (run('npm', ['rebuild', client], true, settings, folder) !== 0) {
            demand('npm', ['rebuild', client], settings, folder)
          }
        } catch (error) {
          throw new Unavailable(`${client} does not compile: ${(error as Error).message.slice(-500)}`)
        }
      }
      mkdirSync(dirname(link), { recursive: true })
      if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link, { recursive: true })
      symlinkSync(built, link)
    },
  }
}

/** Debian starts what it installs; a policy says no, as long as we install. */
function withoutStarting(act: () => void): void {
  const policy = '/usr/sbin/policy-rc.d'
  const mine = !existsSync(policy)
  if (mine) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    act()
  } finally {
    if (mine) rmSync(policy, { force: true })
  }
}

function pom(coordinates: readonly string[]): string {
  const dependencies = coordinates.map((one) => {
    const [group, artifact, version] = one.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>services</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>\n`
}

function demand(program: string, args: readonly string[], env: Record<string, string> = {}, cwd?: string): void {
  const result = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...env },
    maxBuffer: 1 << 26,
  })
  if (result.status === 0) return
  const said = `${result.stdout ?? ''}${result.stderr ?? ''}`.slice(-2000)
  throw new Error(`${program} ${args.join(' ')} failed: ${result.error?.message ?? ''}${said}`)
}

function run(
  program: string,
  args: readonly string[],
  quiet = false,
  settings: Record<string, string> = {},
  cwd?: string,
): number | null {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...settings }
  return spawnSync(program, args, { stdio: quiet ? 'ignore' : ['ignore', 'ignore', 'inherit'], env, cwd }).status
}
