// npm run fuzz -- [--minutes N | --seconds N] [--seed N] [--only TARGET]
//
// Fuzzing of the native entries from both sides. Native targets (test/native/fuzz/) run with address and
// undefined-behaviour sanitizers, under libFuzzer where clang has it and with a driver of our own elsewhere; inputs that
// were found before (test/native/fuzz/corpus/) run first. JavaScript campaigns (test/fuzz/) run in a process each. All
// get an equal share of the time; a failure leaves its input under .cache/fuzz and prints what repeats it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../lib/package-root'
import { testPythonInfo } from '../test/fixtures/python'
import { CAMPAIGNS } from '../test/fuzz/campaigns'

const NATIVE = ['json', 'text', 'values', 'requests', 'responses']
const FOUND = join(packageRoot, '.cache', 'fuzz')
/** Beyond its share, for the start and for the last input. */
const GRACE = 120

interface Outcome {
  target: string
  executions: number
  failed: boolean
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
    },
  })
  const targets = [...NATIVE, ...Object.keys(CAMPAIGNS)].filter((target) => !values.only || target === values.only)
  if (targets.length === 0)
    throw new Error(`no such target: ${values.only}; there are ${[...NATIVE, ...Object.keys(CAMPAIGNS)].join(', ')}`)
  const seconds = Number(values.seconds ?? Number(values.minutes ?? 1) * 60)
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  if (!(seconds > 0) || !Number.isInteger(seed)) throw new Error('--minutes, --seconds and --seed take numbers')
  mkdirSync(FOUND, { recursive: true })
  const share = Math.max(1, Math.round(seconds / targets.length))
  console.log(`fuzzing ${targets.length} targets for ${share} s each, seed ${seed}`)
  const program = targets.some((target) => NATIVE.includes(target)) ? build() : ''
  const outcomes: Outcome[] = []
  for (const target of targets) {
    outcomes.push(NATIVE.includes(target) ? await native(program, target, share, seed) : campaign(target, share, seed))
    const { executions, failed } = outcomes.at(-1)!
    console.log(`${target}: ${executions} executions${failed ? ', FAILED' : ''}`)
  }
  const failed = outcomes.filter((outcome) => outcome.failed).length
  const total = outcomes.reduce((sum, { executions }) => sum + executions, 0)
  console.log(`executions: ${total}, seed ${seed}`)
  console.log(`${outcomes.length - failed} passed, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}

/** Builds the native targets, with libFuzzer where there is one. */
function build(): string {
  const clang = ['clang++', 'clang++-19', 'clang++-18', 'clang++-17', 'clang++-16', 'clang++-15', 'clang++-14']
    .map((name) => ({ name, fuzzer: fuzzerOf(name) }))
    .find(({ fuzzer }) => fuzzer !== undefined)
  const folder = join(packageRoot, clang === undefined ? 'build-fuzz-own' : 'build-fuzz')
  const sanitizers = clang === undefined ? 'address,undefined' : 'address,undefined,fuzzer-no-link'
  const options = ['-DRXP_TESTS=ON', '-DRXP_ADDON=OFF', `-DRXP_SANITIZE=${sanitizers}`]
  const env = { ...process.env }
  if (clang !== undefined) {
    options.push(`-DRXP_FUZZER=${clang.fuzzer}`)
    env.CXX = clang.name
    env.CC = clang.name.replace('++', '')
  }
  console.log(clang === undefined ? 'no libFuzzer: inputs are changed blindly' : `libFuzzer of ${clang.name}`)
  for (const args of [
    ['-S', packageRoot, '-B', folder, ...options],
    ['--build', folder, '--parallel', process.env.JOBS ?? '2', '--target', 'fuzz_test'],
  ]) {
    const made = spawnSync('cmake', args, { encoding: 'utf8', env })
    if (made.status !== 0) throw new Error(`cmake ${args[0]}: ${made.error ?? `${made.stdout}\n${made.stderr}`}`)
  }
  return join(folder, 'fuzz_test')
}

function fuzzerOf(clang: string): string | undefined {
  const folder = spawnSync(clang, ['-print-resource-dir'], { encoding: 'utf8' }).stdout?.trim()
  if (!folder) return undefined
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  return [
    join(folder, 'lib', 'linux', `libclang_rt.fuzzer_no_main-${machine}.a`),
    join(folder, 'lib', `${machine}-unknown-linux-gnu`, 'libclang_rt.fuzzer_no_main.a'),
  ].find((file) => existsSync(file))
}

async function native(program: string, target: string, seconds: number, seed: number): Promise<Outcome> {
  const info = await testPythonInfo()
  const corpus = join(packageRoot, 'test', 'native', 'fuzz', 'corpus', target)
  const grown = join(FOUND, `corpus-${target}`)
  mkdirSync(grown, { recursive: true })
  const args = [
    ...[info.library!, join(packageRoot, 'python'), target],
    ...[`-max_total_time=${seconds}`, `-seed=${seed}`, '-print_final_stats=1', '-rss_limit_mb=4096', '-timeout=25'],
    `-artifact_prefix=${FOUND}/${target}-`,
    ...[grown, corpus].filter((folder) => existsSync(folder)),
  ]
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: (seconds + GRACE) * 1000,
    env: {
      ...process.env,
      PYTHONHOME: info.basePrefix,
      PYTHONMALLOC: 'malloc', // every object by itself, so that a reference too few is seen
      ASAN_OPTIONS: 'detect_leaks=0:allocator_may_return_null=1:handle_abort=1',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    },
  })
  const failed = result.status !== 0
  if (failed) complain(`${program} ${args.join(' ')}`, result.stderr)
  const executions = Number(/number_of_executed_units:\s*(\d+)/.exec(result.stderr)?.[1] ?? 0)
  return { target, executions, failed: failed || executions === 0 }
}

function campaign(target: string, seconds: number, seed: number): Outcome {
  const file = join(packageRoot, 'test', 'fuzz', 'run.ts')
  const args = ['--import=tsx', file, target, String(seconds), String(seed)]
  const result = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: packageRoot,
    maxBuffer: 1 << 28,
    timeout: (seconds + GRACE) * 1000,
  })
  const executions = Number(/^executions: (\d+)$/m.exec(result.stdout)?.[1] ?? 0)
  const failed = result.status !== 0 || executions === 0
  if (failed) complain(`node ${args.join(' ')} (ended with ${result.signal ?? result.status})`, result.stderr)
  return { target, executions, failed }
}

function complain(command: string, output: string): void {
  console.error(output.split('\n').slice(-80).join('\n'))
  console.error(`FAILED: ${command}`)
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
