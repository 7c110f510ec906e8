/** A model behind HTTP: `serve` against the service that most teams have. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { forest } from '../cases/forest'
import { pythonArguments, pythonEnd } from '../drivers/lines'
import { rest } from '../drivers/rest'
import { type Load, load, postRequest } from '../harness/http-load'
import { packageFolder } from '../harness/paths'
import { median, quantile, short } from '../harness/stats'
import { atLeast, type Probe, type ShowContext } from './line'

const CONNECTIONS = 64
const TIMES = 10
const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }

interface Running {
  readonly port: number
  stop(): Promise<void>
}

/** A service that says its port on standard output. */
async function start(command: string, args: readonly string[], variables: Record<string, string>): Promise<Running> {
  const child: ChildProcess = spawn(command, args, {
    cwd: packageFolder,
    env: { ...process.env, ...ONE_THREAD, ...variables },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [line] = (await Promise.race([once(child.stdout!, 'data'), ended])) as [unknown]
  const port = Number(String(line))
  if (!(port > 0)) throw new Error(`${command} did not say its port but ended with ${line}`)
  return {
    port,
    async stop() {
      child.stdin!.end()
      // uvicorn does not mind its standard input.
      if (command !== process.execPath) child.kill()
      await ended
    },
  }
}

async function ready(port: number, request: Buffer): Promise<void> {
  for (const began = performance.now(); ; ) {
    try {
      await load({ port, connections: 1, seconds: 0.01, warmUp: 0, requests: [request] })
      return
    } catch (error) {
      if (performance.now() - began > 30_000) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Both services on the same records, in turn; what they answer must be the same. */
async function measure(context: ShowContext): Promise<{ ours: Load[]; theirs: Load[] }> {
  const { environment, rounds, seconds, data } = context
  const problem = await rest.unavailable?.(environment)
  if (problem !== undefined) throw new Error(problem)
  const variables = await forest.prepare(environment.python, data)
  Object.assign(process.env, variables)
  const [records] = await forest.batches(1024)
  const requests = (records as readonly string[]).map((record) => postRequest('/handle', JSON.stringify([record])))
  const { RXP_BENCH_REST: uvicorn } = rest.variables!(environment)
  const theirs = await start(uvicorn!, [pythonEnd('rest.py'), ...pythonArguments(forest)], variables)
  const script = join(__dirname, 'probes', 'serve.ts')
  const ours = await start(process.execPath, ['--import=tsx', script, environment.python], variables)
  const services = { ours, theirs }
  const loads: { ours: Load[]; theirs: Load[] } = { ours: [], theirs: [] }
  const answers = { ours: new Map<number, string>(), theirs: new Map<number, string>() }
  try {
    for (const name of ['ours', 'theirs'] as const) await ready(services[name].port, requests[0]!)
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ['ours', 'theirs'] as const) {
        const onAnswer = (request: number, body: string) => answers[name].set(request, body)
        const options = { port: services[name].port, connections: CONNECTIONS, requests, onAnswer }
        loads[name].push(await load({ ...options, seconds: seconds * 5, warmUp: seconds }))
      }
    }
  } finally {
    await Promise.all([ours.stop(), theirs.stop()])
  }
  for (const [request, body] of answers.theirs) {
    const mine = answers.ours.get(request)
    if (mine !== undefined && JSON.stringify(JSON.parse(mine)) !== JSON.stringify(JSON.parse(body))) {
      throw new Error(`request ${request}: ${mine} and ${body}`)
    }
  }
  return loads
}

export const serveProbe: Probe = {
  lines: [
    {
      name: `serve(): requests/s of a RandomForest at ${CONNECTIONS} connections, one record a request, against FastAPI with uvicorn`,
      target: `at least ${TIMES}x`,
    },
    { name: 'p99 of these requests', target: 'lower than with FastAPI' },
  ],
  async run(context) {
    const { ours, theirs } = await measure(context)
    const rate = (loads: readonly Load[]) => median(loads.map(({ perSecond }) => perSecond))
    const time = (loads: readonly Load[], share: number) =>
      median(loads.map(({ latencies }) => quantile(latencies, share)))
    const [mine, other] = [rate(ours), rate(theirs)]
    const [p99, otherP99] = [time(ours, 0.99), time(theirs, 0.99)]
    const halves = `p50 ${time(ours, 0.5).toFixed(1)} ms against ${time(theirs, 0.5).toFixed(0)} ms`
    return [
      atLeast(mine / other, TIMES, `${short(mine)}/s against ${short(other)}/s`),
      { value: `${p99.toFixed(1)} ms against ${otherP99.toFixed(0)} ms, ${halves}`, holds: p99 < otherP99 },
    ]
  },
}
