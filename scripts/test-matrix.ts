// npm test: everything with the default Python, then the integration tests with other Pythons and with a newer Node.
// RXJS_PYTHON_TEST_ALL=1 takes every Python of the machine, not a spread of them. Arguments replace
// the files of the first run, which is then the only one: npm test -- test/unit/locate.test.ts
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../lib/package-root'
import type { PythonInfo } from '../lib/pool/locate'
import { basePython, testEnvironment } from '../test/fixtures/python'
import { findPythons } from '../test/fixtures/pythons'

interface Totals {
  passes: number
  failures: number
}

/** What is newer than the Node that the package is developed with, and has long-term support. */
const NEWER_NODE = 24
/** How many Pythons beside the default one, unless all are asked for. */
const OTHER_PYTHONS = 4

const INTEGRATION = ['test/integration/**/*.test.ts']
const EVERYTHING = ['test/unit/**/*.test.ts', ...INTEGRATION]

const total: Totals = { passes: 0, failures: 0 }

async function main(): Promise<void> {
  const only = process.argv.slice(2)
  const chosen = await basePython()
  run(`Python ${label(chosen)}, Node ${process.versions.node}`, {
    python: chosen,
    spec: only.length > 0 ? only : EVERYTHING,
  })
  if (only.length === 0) {
    await runPythonSide(chosen)
    await otherPythons(chosen)
    newerNode(chosen)
  }
  console.log(`${total.passes} passed, ${total.failures} failed`)
  if (total.failures > 0 || total.passes === 0) process.exitCode = 1
}

async function otherPythons(chosen: PythonInfo): Promise<void> {
  const { usable } = await findPythons()
  const others = usable.filter((python) => python.basePrefix !== chosen.basePrefix)
  const taken = process.env.RXJS_PYTHON_TEST_ALL ? others : spread(others, OTHER_PYTHONS)
  console.log(`\nPythons that can be used here: ${usable.map(label).join(', ')}`)
  for (const python of taken) {
    run(`Python ${label(python)}, Node ${process.versions.node}`, { python, spec: INTEGRATION, reporter: 'dot' })
    await runPythonSide(python)
  }
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

function newerNode(python: PythonInfo): void {
  const major = Number(process.versions.node.split('.')[0])
  const own = process.env.RXJS_PYTHON_TEST_NODE
  if (major >= NEWER_NODE && !own) {
    console.log(`\nNode ${process.versions.node} runs these tests already: no newer one is fetched`)
    return
  }
  const node = own ? own : fetchNode()
  if (node === undefined) {
    total.failures++
    return
  }
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim()
  run(`Python ${label(python)}, Node ${version}`, { python, node, spec: INTEGRATION, reporter: 'dot' })
}

/** Node as an npm package, into a folder of its own: it is no dependency of this package. */
function fetchNode(): string | undefined {
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
  console.error(
    `FAILED: Node ${NEWER_NODE} could not be installed (npm package ${name}); RXJS_PYTHON_TEST_NODE names one`,
  )
  return undefined
}

interface Run {
  python: PythonInfo
  /** Default: this one. */
  node?: string
  spec: string[]
  reporter?: 'spec' | 'dot'
}

function run(title: string, { python, node = process.execPath, spec, reporter = 'spec' }: Run): void {
  console.log(`\n=== ${title} ===`)
  const mocha = join(packageRoot, 'node_modules', 'mocha', 'bin', 'mocha.js')
  const totalsReporter = join(packageRoot, 'scripts', 'mocha-totals.cjs')
  count(title, (file) =>
    spawnSync(node, [mocha, '--reporter', totalsReporter, ...spec], {
      cwd: packageRoot,
      stdio: 'inherit',
      env: {
        ...process.env,
        RXJS_PYTHON_TEST_PYTHON: python.executable,
        RXJS_PYTHON_TEST_TOTALS: file,
        RXJS_PYTHON_TEST_REPORTER: reporter,
      },
    }),
  )
}

/** The tests of the Python side, which need no Node. */
async function runPythonSide(python: PythonInfo): Promise<void> {
  const title = `Python ${label(python)}, the Python side`
  console.log(`\n=== ${title} ===`)
  const { executable } = await testEnvironment(python)
  const script = join(packageRoot, 'scripts', 'python_tests.py')
  count(title, (file) => spawnSync(executable, [script, file], { cwd: packageRoot, stdio: 'inherit' }))
}

/** Adds the figures that a run writes to the file it is given. */
function count(title: string, start: (file: string) => SpawnSyncReturns<Buffer>): void {
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-test-'))
  const file = join(folder, 'totals.json')
  const result = start(file)
  const totals = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Totals) : undefined
  rmSync(folder, { recursive: true, force: true })
  total.passes += totals?.passes ?? 0
  total.failures += totals?.failures ?? 0
  // A crash on the way out is a failure that the run's own figures do not know.
  const ended = result.signal ?? result.status
  if (totals === undefined || ended !== Math.min(totals.failures, 255)) {
    total.failures++
    console.error(`FAILED: ${title}: ended with ${ended}${totals === undefined ? ' before its last test' : ''}`)
  }
}

function label(python: PythonInfo): string {
  return `${python.version.join('.')}${python.freeThreaded ? 't' : ''}`
}

main().catch((error) => {
  console.error(error)
  console.log(`${total.passes} passed, ${total.failures + 1} failed`)
  process.exitCode = 1
})
