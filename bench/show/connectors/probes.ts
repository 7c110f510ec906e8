/** Three probes that every connector answers: nothing lost through a kill, bounded memory, its client's speed. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { lastValueFrom, take, tap } from 'rxjs'
import type { Sink, Source } from '../../../lib/jobs'
import { Server } from '../../../test/services/server'
import { median } from '../../harness/stats'
import type { Outcome, Probe, ShowContext } from '../line'
import { type Connector, entry, type Item, itemsOf, type Place } from './connector'

type Jobs = typeof import('../../../lib/jobs')

const ITEMS = 100_000
const LEAST = 30_000
const RATIO = 0.8
const MEMORY_MB = 32
/** Of an item where memory counts: all of them would be three times the bound. */
const BYTES = 1_000
const PATIENCE = 180_000

/** A server and a place on it. */
async function atPlace<R>(
  { installation, definition, place: make, name }: Connector,
  use: (place: Place, server: Server | undefined) => Promise<R>,
): Promise<R> {
  if (installation?.installed() === false) {
    throw new Error(`${name}: run \`npm run services -- install ${installation.name}\``)
  }
  const server = definition === undefined ? undefined : await Server.start(definition)
  try {
    const place = await make(server!)
    try {
      return await use(place, server)
    } finally {
      await place.close()
    }
  } finally {
    await server?.stop()
  }
}

/** A sink that keeps what a checkpoint has made safe, where a connector has none of its own. */
function keeping(): Sink<Item> & { kept: number[] } {
  let epoch: number[] = []
  return {
    kept: [],
    open() {},
    write({ at }) {
      epoch.push(at)
    },
    async prepare() {
      this.kept.push(...epoch)
      epoch = []
      return null
    },
    commit: async () => {},
    close() {},
  }
}

async function until(done: () => Promise<boolean> | boolean, every = 50): Promise<boolean> {
  const end = performance.now() + PATIENCE
  for (; performance.now() < end; await sleep(every)) if (await done()) return true
  return false
}

function killProbe(connector: Connector): Probe {
  return {
    lines: [
      {
        name: `${connector.name}: ${ITEMS.toLocaleString('en')} items through, the ${
          connector.definition === undefined ? 'job cut off' : 'server killed'
        } and restarted in the middle`,
        target: 'none lost',
      },
    ],
    async run({ share }) {
      const { runJob, replay } = entry<Jobs>('jobs')
      const count = Math.max(2_000, Math.round(ITEMS * share))
      const items = itemsOf(count, 50)
      const store = await mkdtemp(join(tmpdir(), 'rxjs-python-show-'))
      try {
        return await atPlace(connector, async (place, server) => {
          if (place.source !== undefined) await place.fill!(items)
          const kept = keeping()
          const seen = new Set<number>()
          const all = async () => new Set(await place.results?.()).size === count
          // Where the sink is a server, it has to be there until somebody has read everything.
          const lasts = place.arrived !== undefined
          const made = lasts ? lasting(items, () => until(all, 300)) : replay(items)
          const source = (place.source?.() ?? made) as Source<Item>
          let kill: Promise<void> | undefined
          let failure: unknown
          const start = async () => {
            const begun = await runJob<Item>({
              name: 'kill',
              pipeline: (context) =>
                context.source('items', source).pipe(
                  tap(({ at }) => {
                    seen.add(at)
                    if (seen.size >= count / 2) kill ??= interrupt()
                  }),
                ),
              sink: place.sink?.() ?? kept,
              checkpoint: { store, every: 200 },
            })
            begun.done.catch((error) => {
              if (begun.state === 'failed') failure = error
            })
            return begun
          }
          const interrupt = async () => {
            if (server === undefined) {
              // Items may come before it is known that it runs.
              const first = await running
              await first.cancel()
              running = start()
            } else {
              await server.kill()
              await sleep(300)
              await server.restart()
            }
          }
          let running = start()
          await until(
            async () => failure !== undefined || (seen.size === count && (!lasts || (await all()))),
            lasts ? 300 : 50,
          )
          if (failure !== undefined) throw failure
          await kill
          const job = await running
          if (job.state === 'running') {
            await job.suspend().catch((error) => {
              // A source that ends may have done so just now.
              if (job.state !== 'completed') throw error
            })
          }
          await job.cancel()
          const results = (await place.results?.()) ?? kept.kept
          const different = new Set(results).size
          const twice = results.length - different
          return [
            {
              value: `${different} of ${count} there, ${twice} of them more than once${kill ? '' : ', never killed'}`,
              holds: different === count && kill !== undefined,
            },
          ]
        })
      } finally {
        await rm(store, { recursive: true, force: true })
      }
    },
  }
}

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

function memoryProbe(connector: Connector): Probe {
  return {
    lines: [
      {
        name: `${connector.name}: memory while the sink is slower than the source, ${ITEMS.toLocaleString('en')} items of 1 kB`,
        target: `at most ${MEMORY_MB} MB more`,
      },
    ],
    async run({ share }) {
      const { fromSource, toSink } = entry<Jobs>('jobs')
      const collect = collector()
      const used = () => {
        collect()
        const { heapUsed, external } = process.memoryUsage()
        return (heapUsed + external) / 1e6
      }
      // As many as the bound would not hold, however quick the look is.
      const count = Math.max(60_000, Math.round(ITEMS * share))
      return atPlace(connector, async (place) => {
        if (place.source === undefined) return [{ value: 'it has no source', holds: true }]
        await place.fill!(itemsOf(count, BYTES))
        let taken = 0
        const slow: Sink<Item> = {
          open() {},
          write() {
            taken++
            return taken % 10 === 0 ? sleep(1).then(() => {}) : undefined
          },
          prepare: async () => null,
          commit: async () => {},
          close() {},
        }
        // What filling the place has left behind goes by and by, and would count as memory that is used.
        for (let before = Number.POSITIVE_INFINITY, now = used(); before - now > 0.5; now = used()) {
          before = now
          await sleep(100)
        }
        const samples: number[] = [used()]
        const over = new AbortController()
        const reading = lastValueFrom(
          fromSource(place.source(), { acknowledge: true, signal: over.signal }).pipe(toSink(slow, { every: 500 })),
          { defaultValue: 0 },
        )
        for (const end = performance.now() + 5_000; performance.now() < end; await sleep(250)) {
          samples.push(used())
        }
        over.abort()
        await reading
        const most = Math.max(...samples) - Math.min(...samples)
        const value = `${most.toFixed(1)} MB, ${taken} items taken in 5 s`
        return [{ value, holds: most <= MEMORY_MB && taken > 100 && taken < count }]
      })
    },
  }
}

/** Items of a stream that ends when somebody has read their results. */
function lasting(items: readonly Item[], arrived: (count: number) => Promise<unknown>): Source<Item, number> {
  return {
    async *read(position = 0) {
      for (let at = position; at < items.length; at++) yield [items[at]!, at + 1] as const
      await arrived(items.length)
    },
  }
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return (performance.now() - began) / 1000
}

/** Both ways, one after the other, each first in turn. */
async function compared(rounds: number, count: number, way: (ours: boolean) => Promise<number>): Promise<Outcome> {
  const times = { ours: [] as number[], client: [] as number[] }
  // One round more than counted: the first one compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const ours of round % 2 === 0 ? [true, false] : [false, true]) {
      const time = await way(ours)
      if (round > 0) times[ours ? 'ours' : 'client'].push(time)
    }
  }
  const [ours, client] = [count / median(times.ours), count / median(times.client)]
  const rate = (value: number) => Math.round(value).toLocaleString('en')
  return {
    value: `${(ours / client).toFixed(2)}x, ${rate(ours)}/s against ${rate(client)}/s`,
    holds: ours >= RATIO * client,
  }
}

function speedProbe(connector: Connector, direction: 'read' | 'written'): Probe {
  return {
    lines: [
      { name: `${connector.name}: items/s ${direction}, against its client alone`, target: `at least ${RATIO}x` },
    ],
    async run({ rounds, share }: ShowContext) {
      const { fromSource, replay, toSink } = entry<Jobs>('jobs')
      // Fewer would measure how a connection begins.
      const count = Math.max(LEAST, Math.round((connector.timed ?? ITEMS) * share))
      const items = itemsOf(count, 200)
      const outcome = await compared(Math.max(1, rounds), count, (ours) =>
        atPlace(connector, async (place) => {
          if (direction === 'written') {
            const { arrived } = place
            const write =
              arrived === undefined
                ? () => lastValueFrom(fromSource(replay(items)).pipe(toSink(place.sink!())))
                : () => lastValueFrom(fromSource(lasting(items, arrived)).pipe(toSink(place.sink!(), { every: 100 })))
            return seconds(ours ? write : () => place.clientWrites!(items))
          }
          await place.fill!(items)
          const read = () => lastValueFrom(fromSource(place.source!(), { acknowledge: true }).pipe(take(count)))
          return seconds(ours ? read : () => place.clientReads!(count))
        }),
      )
      return [outcome]
    },
  }
}

/** The lines of a connector. What it has not (a sink, a source) has no line; `has` says what it has. */
export function probesOf(connector: Connector, has: { source: boolean; sink: boolean }): Probe[] {
  return [
    killProbe(connector),
    ...(has.source ? [memoryProbe(connector), speedProbe(connector, 'read')] : []),
    ...(has.sink ? [speedProbe(connector, 'written')] : []),
  ]
}
