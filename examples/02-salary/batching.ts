// What batching does for the model's throughput, as a chart: `npm run example -- salary/batching`.
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { lastValueFrom } from 'rxjs'
import { lineChart, type Point } from '../../bench/report/line-chart'
// In a program of your own: from 'rxjs-python'
import { fromIterable, type Handler, mapPython } from '../../lib/index'
import { runDemo } from '../shared/demo'
import type { Person, Salary } from './records'
import { startService } from './service'

const SIZES = [1, 4, 16, 64, 256, 1024, 4096]
const CLIENTS = 64

export interface Throughput {
  /** Records a second by REST: 64 clients, a batch of one for each request, and requests in batches. */
  readonly oneByOne: number
  readonly together: number
  /** Records a second of the stream, by the size of its batches. */
  readonly stream: ReadonlyMap<number, number>
}

/** Measures each for about so many milliseconds. */
export async function measure(milliseconds: number, print: (line: string) => void): Promise<Throughput> {
  const rest: number[] = []
  let stream = new Map<number, number>()
  for (const batched of [false, true]) {
    const service = await startService({ port: 0, batched, size: 1, records: 5000 })
    try {
      const rate = await restRate(service.url, service.people, milliseconds)
      print(`REST, ${CLIENTS} clients, ${batched ? 'requests in batches' : 'one by one'}: ${show(rate)} records/s`)
      rest.push(rate)
      if (batched) stream = await streamRates(service.score, service.people, milliseconds, print)
    } finally {
      await service.close()
    }
  }
  return { oneByOne: rest[0]!, together: rest[1]!, stream }
}

async function streamRates(
  score: Handler<Person, Salary>,
  people: readonly Person[],
  milliseconds: number,
  print: (line: string) => void,
): Promise<Map<number, number>> {
  const rates = new Map<number, number>()
  for (const size of SIZES) {
    const end = performance.now() + milliseconds
    const started = performance.now()
    let records = 0
    function* until() {
      for (let at = 0; records === 0 || at % size !== 0 || performance.now() < end; at++) {
        records++
        yield people[at % people.length]!
      }
    }
    const batches = { maxItems: size, maxWait: 1000 }
    await lastValueFrom(fromIterable(until()).pipe(mapPython(score, { batch: batches, concurrency: 2 })))
    const rate = (records / (performance.now() - started)) * 1000
    print(`stream, batches of ${size}: ${show(rate)} records/s`)
    rates.set(size, rate)
  }
  return rates
}

/** Many clients, each with one request at a time. */
async function restRate(url: string, people: readonly Person[], milliseconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const end = performance.now() + milliseconds
  const started = performance.now()
  let records = 0
  const client = async (first: number) => {
    for (let at = first; performance.now() < end; at += CLIENTS) {
      await post(url, people[at % people.length]!, agent)
      records++
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, first) => client(first)))
  agent.destroy()
  return (records / (performance.now() - started)) * 1000
}

export function post(url: string, person: Person, agent?: Agent): Promise<Salary> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const asked = request(url, { method: 'POST', agent, headers }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(body) as Salary)
        else reject(new Error(`${response.statusCode}: ${body}`))
      })
    })
    asked.on('error', reject)
    asked.end(JSON.stringify(person))
  })
}

export function chartOf({ oneByOne, together, stream }: Throughput): string {
  const at = (x: number, y: number): Point => ({ x, y, low: y, high: y })
  const level = (y: number) => SIZES.map((size) => at(size, y))
  return lineChart({
    title: 'Effect of batching on throughput',
    subtitle: 'scikit-learn RandomForest of 100 trees, one interpreter, records a second',
    xLabel: 'records in a batch',
    yLabel: 'records/s',
    series: [
      { label: 'stream', color: '#0b3fae', width: 3, points: Array.from(stream, ([size, rate]) => at(size, rate)) },
      { label: 'REST, batched', color: '#0a7d8c', width: 2, dash: '6 4', points: level(together) },
      { label: 'REST, one by one', color: '#d9480f', width: 2, dash: '6 4', points: level(oneByOne) },
    ],
  })
}

function show(rate: number): string {
  return Math.round(rate).toLocaleString('en')
}

async function demo(args: readonly string[], print: (line: string) => void): Promise<void> {
  const file = args[0] ?? 'batching.svg'
  const throughput = await measure(2000, print)
  await writeFile(file, chartOf(throughput))
  print(`the chart is in ${file}`)
}

if (require.main === module) runDemo(demo)
