// npm test: everything with the default Python, then the integration tests with other Pythons and with a newer Node.
// RXJS_PYTHON_TEST_ALL=1 takes every Python of the machine, not a spread of them. Arguments replace
// the files of the first run, which is then the only one: npm test -- test/unit/locate.test.ts
// RXJS_PYTHON_TEST_LANES is how many runs there are at a time.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../lib/package-root'
import type { PythonInfo } from '../lib/pool/locate'
import { basePython, testEnvironment } from '../test/fixtures/python'
import { findPythons } from '../test/fixtures/pythons'
import { type Run, runAll } from './test-runs'

/** What is newer than the Node that the package is developed with, and has long-term support. */
const NEWER_NODE = 24
/** How many Pythons beside the default one, unless all are asked for: the oldest and the newest. */
const OTHER_PYTHONS = 2

const INTEGRATION = ['test/integration/**/*.test.ts']
const UNIT = ['test/unit/**/*.test.ts']

/** The tests wait more than they compute: three runs at a time on two cores take hardly longer than one. */
const MOST_LANES = 3

async function main(): Promise<void> {
  const only = process.argv.slice(2)
  const chosen = await basePython()
  const title = `Python ${label(chosen)}, Node ${process.versions.node}`
  const runs =
    only.length > 0
      ? [mocha(title, { python: chosen, spec: only, reporter: 'spec' })]
      : [
          mocha(title, { python: chosen, spec: INTEGRATION, reporter: 'spec' }),
          ...(await otherPythons(chosen)),
          ...newerNode(chosen),
          mocha(`unit tests, Node ${process.versions.node}`, { python: chosen, spec: UNIT, reporter: 'spec' }),
          await pythonSide(chosen),
        ]
  const lanes =
    Number(process.env.RXJS_PYTHON_TEST_LANES) || Math.min(availableParallelism() + 1, MOST_LANES, runs.length)
  const { passes, failures, failed } = await runAll(runs, lanes, packageRoot)
  for (const test of failed) console.log(`FAILED: ${test.title}: ${test.message}`)
  console.log(`${passes} passed, ${failures} failed`)
  if (failures > 0 || passes === 0) process.exitCode = 1
}

async function otherPythons(chosen: PythonInfo): Promise<Run[]> {
  const { usable } = await findPythons()
  const others = usable.filter((python) => python.basePrefix !== chosen.basePrefix)
  const taken = process.env.RXJS_PYTHON_TEST_ALL ? others : spread(others, OTHER_PYTHONS)
  console.log(`Pythons that can be used here: ${usable.map(label).join(', ')}`)
  const runs: Run[] = []
  for (const python of taken) {
    runs.push(mocha(`Python ${label(python)}, Node ${process.versions.node}`, { python, spec: INTEGRATION }))
    runs.push(await pythonSide(python))
  }
  return runs
}

/** The oldest and the newest, the free-threaded ones and the system's own, then what lies between. */
function spread(pythons: PythonInfo[], count: number): PythonInfo[] {
  const order = [
    pythons[0],
    pythons.at(-1),
    ...pythons.filter((python) => python.freeThreaded),
    ...pythons.filter((python) => python.basePrefix === '/usr'),
    ...pythons,
  ]
  const taken = [...new Set(order.filter((python) => python !== undefined))].slice(0, count)
  return pythons.filter((python) => taken.includes(python))
}

function newerNode(python: PythonInfo): Run[] {
  const major = Number(process.versions.node.split('.')[0])
  const own = process.env.RXJS_PYTHON_TEST_NODE
  if (major >= NEWER_NODE && !own) {
    console.log(`Node ${process.versions.node} runs these tests already: no newer one is fetched`)
    return []
  }
  const node = own ? own : fetchNode()
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim()
  return [mocha(`Python ${label(python)}, Node ${version}`, { python, node, spec: INTEGRATION })]
}

/** Node as an npm package, into a folder of its own: it is no dependency of this package. */
function fetchNode(): string {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(packageRoot, '.cache', `node${NEWER_NODE}`)
  const node = join(folder, 'node_modules', name, 'bin', 'node')
  if (existsSync(node)) return node
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const result = spawnSync('npm', ['install', '--no-save', '--no-package-lock', `${name}@${NEWER_NODE}`], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (result.status === 0 && existsSync(node)) return node
  throw new Error(
    `Node ${NEWER_NODE} could not be installed (npm package ${name}); RXJS_PYTHON_TEST_NODE names one that is there`,
  )
}

/**
 * One process runs all integration tests of a Python, so that its private copies come to hold what any of them imports:
 * more static TLS than glibc keeps free where it is not told. All threads' stacks pay for it: Node starts one that has no
 * room for twice as much.
 */
const GLIBC_TUNABLES = 'glibc.rtld.nns=16:glibc.rtld.optional_static_tls=16384'

interface Mocha {
  python: PythonInfo
  /** Default: this one. */
  node?: string
  spec: string[]
  reporter?: 'spec' | 'dot'
}

function mocha(title: string, options: Mocha): Run {
  const { python, node = process.execPath, spec, reporter = 'dot' } = options
  const script = join(packageRoot, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const totalsReporter = join(packageRoot, 'scripts', 'mocha-totals.cjs')
  return {
    title,
    command: node,
    args: [script, '--reporter', totalsReporter, ...spec],
    env: { GLIBC_TUNABLES, RXJS_PYTHON_TEST_PYTHON: python.executable, RXJS_PYTHON_TEST_REPORTER: reporter },
    only: (files) => mocha(title, { ...options, spec: files }),
  }
}

/** The tests of the Python side, which need no Node. */
async function pythonSide(python: PythonInfo): Promise<Run> {
  const { executable } = await testEnvironment(python)
  return {
    title: `Python ${label(python)}, the Python side`,
    command: executable,
    args: [join(packageRoot, 'scripts', 'python_tests.py')],
  }
}

function label(python: PythonInfo): string {
  return `${python.version.join('.')}${python.freeThreaded ? 't' : ''}`
}

// The runs have groups of their own, which the terminal's Ctrl-C does not reach; they go with this process.
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

main().catch((error) => {
  console.error(error)
  console.log('0 passed, 1 failed')
  process.exitCode = 1
})
