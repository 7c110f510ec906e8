// Every function of the addon, called with whatever there is: it may throw, and must not crash. The order of the calls
// is random too; now and then a call that is right shows that the addon still works.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Crossing, type NativeChannel, type NativePool, native } from '../../lib/native'
import { pythonRoot } from '../../lib/package-root'
import { workerEnvironment } from '../../lib/pool/environment'
import { testPythonInfo } from '../fixtures/python'
import type { Campaign } from './campaigns'
import { anyValue, detached, type Pick, weirdValues } from './weird'

/** Calls after which the addon has to show that it still works, and pools are made anew. */
const CALLS = 400
/** Interpreters of one pool. */
const MOST_SEATS = 3
const PATIENCE = 60_000
/** The number of the calls that are right. */
const PROBE = 1_000_000
const ECHO = 7

/** A pool and the thread's end of its results, without anything of lib/ in between. */
class Bench {
  readonly channel: NativeChannel
  readonly pool: NativePool
  /** By call. */
  readonly answers = new Map<number, number>()
  readonly boxes = { in: new Int32Array(1 << 12), out: new Int32Array(1 << 12) }
  seats = 0

  constructor(readonly options: object) {
    const { NativeChannel, NativePool } = native()
    this.channel = new NativeChannel(() => this.drain())
    this.pool = new NativePool(this.channel, options as never)
    this.box()
  }

  box(): void {
    this.channel.setInbox(this.boxes.in)
    this.channel.setOutbox(this.boxes.out)
  }

  drain(): void {
    for (;;) {
      this.boxes.in.fill(-1, 0, 3) // what goes into another inbox is not read from this one
      const value = this.channel.next()
      if (value === undefined) return
      if (typeof value === 'number') {
        this.boxes.in = new Int32Array(Math.max(value, 1 << 12))
        this.channel.setInbox(this.boxes.in)
        continue
      }
      const [kind, , count] = this.boxes.in
      // Text: call, status, how many lengths, the lengths.
      for (let at = 3; kind === 0 && at < 3 + count!; at += 3 + this.boxes.in[at + 2]!) {
        this.answers.set(this.boxes.in[at]!, this.boxes.in[at + 1]!)
      }
      if (kind === 1) this.answers.set(this.boxes.in[3]!, this.boxes.in[4]!)
    }
  }

  /** Waits for a call's result and gives its status. */
  async answer(call: number): Promise<number> {
    const until = performance.now() + PATIENCE
    this.channel.ref()
    while (!this.answers.has(call)) {
      assert.ok(performance.now() < until, `no result for call ${call}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    this.channel.unref()
    const status = this.answers.get(call)!
    this.answers.delete(call)
    return status
  }

  start(): number {
    const seat = this.pool.start(PROBE)
    this.seats++
    this.pool.open(seat)
    return seat
  }

  /** A handler for each codec, by number: ECHO + codec. */
  define(): void {
    const spec = { kind: 'source', source: 'def handle(batch): return batch', function: null }
    for (const [number, codec] of (['string', 'json', 'buffer', 'array', 'columns'] as const).entries()) {
      const request = { op: 'open', id: ECHO + number, spec, init: null, mode: 'map', codec }
      this.pool.defineHandler(ECHO + number, number, number, true, JSON.stringify(request), 1)
    }
  }

  submit(handler: number, texts: string[], call = PROBE): void {
    const lengths = texts.map((text) => text.length)
    const text = texts.join('')
    this.boxes.out.set([call, handler, -1, texts.length, text.length, texts.length, ...lengths])
    this.pool.submit(text, text.length, 6 + texts.length, false)
  }

  async works(): Promise<void> {
    this.box()
    this.submit(ECHO, ['a', '', 'b€'])
    assert.equal(await this.answer(PROBE), 0)
    this.pool.submitBinary(PROBE, -1, ECHO + 2, [new Uint8Array(9)], new Uint8Array([Crossing.Copy]), 1, undefined)
    assert.equal(await this.answer(PROBE), 0)
    // Lengths that do not fit their text, and batches of another codec, are errors of the call.
    this.boxes.out.set([PROBE, ECHO, -1, 2, 3, 2, 1, 900])
    this.pool.submit('abc', 3, 8, true)
    assert.equal(await this.answer(PROBE), 1)
    this.submit(ECHO + 2, ['a'])
    assert.equal(await this.answer(PROBE), 1)
  }

  async close(): Promise<void> {
    for (let seat = 0; seat < this.seats; seat++) this.pool.stop(seat, PROBE + 1 + seat)
    for (let seat = 0; seat < this.seats; seat++) await this.answer(PROBE + 1 + seat)
  }
}

export async function addonCampaign(
  isolation: 'shared' | 'process',
  seed: number,
  until: number,
): ReturnType<Campaign> {
  const info = await testPythonInfo()
  const options = {
    id: 1,
    library: info.library ?? '',
    executable: info.executable,
    pythonDir: pythonRoot,
    isolation,
    environment: workerEnvironment(process.env, {}),
    grace: 1000,
    host: JSON.stringify({ path: [], name: 'fuzz' }),
  }
  const before = process.cwd()
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-fuzz-'))
  process.chdir(folder) // where files of odd names may be made
  let executions = 0
  try {
    for (let round = 0; performance.now() < until; round++) {
      const bench = new Bench({ ...options })
      bench.define()
      bench.start()
      assert.equal(await bench.answer(PROBE), 0)
      await bench.works()
      const commands = commandsOf(bench, options)
      const plan = fc.sample(fc.infiniteStream(fc.nat()), { seed: seed + round, numRuns: 1 })[0]!
      const pick: Pick = (below) => plan.next().value! % below
      for (let i = 0; i < CALLS && performance.now() < until; i++) {
        executions++
        try {
          commands[pick(commands.length)]!(pick)
        } catch (error) {
          assert.ok(error instanceof Error || error === 'thrown', `what was thrown is no error: ${String(error)}`)
        }
        if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await bench.works()
      await bench.close()
    }
  } finally {
    process.chdir(before)
    rmSync(folder, { recursive: true, force: true })
  }
  return executions
}

/** What may be called: with anything at all, or nearly right. */
function commandsOf(bench: Bench, options: object): ((pick: Pick) => unknown)[] {
  const { pool, channel } = bench
  const addon = native() as unknown as Record<string, (...args: unknown[]) => unknown>
  const weird = weirdValues([pool, channel])
  const any = (pick: Pick) => anyValue(weird, pick)
  const many = (pick: Pick, most = 6) => Array.from({ length: pick(most) }, () => any(pick))
  const method = (target: object, name: string, right: (pick: Pick) => unknown[]) => (pick: Pick) => {
    const call = (target as Record<string, (...args: unknown[]) => unknown>)[name]!
    const args = pick(3) === 0 ? many(pick) : right(pick)
    if (pick(2) === 0 && args.length > 0) args[pick(args.length)] = any(pick)
    return call.apply(pick(12) === 0 ? any(pick) : target, args)
  }
  const seat = (pick: Pick) => pick(bench.seats + 1) - 1
  const call = (pick: Pick) => 1 + pick(1000)
  const handler = (pick: Pick) => ECHO - 1 + pick(7)
  const view = (pick: Pick) => {
    const size = pick(300)
    const kinds = [
      () => new Uint8Array(size),
      () => new Float64Array(size),
      () => new Uint8Array(new SharedArrayBuffer(size)),
      () => new Uint8Array(native().allocate(size + 1, pick(2) === 0)!, pick(size + 1)),
      () => detached(new Uint16Array(size + 1)),
      () => new BigInt64Array(new ArrayBuffer(8 * size + 8), 8),
    ]
    return kinds[pick(kinds.length)]!()
  }
  const crossing = (item: ArrayBufferView, pick: Pick) =>
    // An ordinary buffer is only pinned by who has transferred it.
    item.buffer instanceof SharedArrayBuffer ? pick(6) : [Crossing.Copy, Crossing.Owned, Crossing.Take, 9][pick(4)]!

  return [
    method(channel, 'next', () => []),
    method(channel, 'account', () => []),
    method(channel, 'ref', () => []),
    method(channel, 'unref', () => []),
    method(channel, 'setInbox', (pick) => [new Int32Array(pick(100))]),
    method(channel, 'setOutbox', (pick) => [new Int32Array(pick(100))]),
    () => bench.box(),
    () => {
      detached(bench.boxes.out)
      bench.boxes.out = new Int32Array(1 << 12)
    },
    (pick) => Reflect.construct(addon.NativeChannel!, pick(2) ? [() => {}] : many(pick)),
    (pick) => Reflect.construct(addon.NativePool!, pick(2) ? [channel, broken(options, any, pick)] : many(pick)),
    (pick) => addon[pick(2) ? 'NativePool' : 'NativeChannel']!(...many(pick)),
    (pick) => {
      const args = pick(3) === 0 && bench.seats < MOST_SEATS ? [call(pick)] : [undefined, ...many(pick)]
      const seat = (pool.start as (...args: unknown[]) => number)(...args)
      bench.seats = seat + 1
    },
    method(pool, 'defineHandler', (pick) => [20 + pick(5), pick(5), pick(5), true, '{}', pick(5)]),
    (pick) => {
      bench.boxes.out.set(Array.from({ length: 20 }, () => pick(9) - 2))
      return pool.submit('x'.repeat(pick(9)), pick(9), pick(30), pick(2) === 0)
    },
    (pick) => {
      bench.box()
      const texts = Array.from({ length: pick(5) }, () => 'é'.repeat(pick(5)))
      bench.submit(handler(pick), texts, call(pick))
    },
    (pick) => {
      const texts = Array.from({ length: pick(5) }, () => '€'.repeat(pick(5)))
      const sum = texts.reduce((size, text) => size + text.length, 0)
      bench.boxes.out.set([call(pick), handler(pick), seat(pick), pick(4), sum, pick(4), pick(9), pick(9), pick(9)])
      return pool.submit(texts as unknown as string[], sum, 6 + pick(4), pick(2) === 0)
    },
    method(pool, 'submit', (pick) => ['abc', 3, pick(40), true]),
    method(pool, 'submitBinary', (pick) => {
      const views = Array.from({ length: pick(4) }, () => view(pick))
      const ways = Uint8Array.from(views, (item) => crossing(item, pick))
      const layout = pick(3) === 0 ? Float64Array.from({ length: pick(8) }, () => pick(7) - 2) : undefined
      return [call(pick), seat(pick), handler(pick), views, ways, pick(4) === 0 ? pick(9) : views.length, layout]
    }),
    method(pool, 'control', (pick) => {
      const text = ['{"op":"info"}', '{}', 'null', '[', '\ud800', '{"op":"nothing"}'][pick(6)]!
      return [call(pick), seat(pick), text, text.length]
    }),
    method(pool, 'forget', (pick) => [call(pick), seat(pick), handler(pick)]),
    method(pool, 'cancel', (pick) => [call(pick)]),
    method(pool, 'waiting', () => []),
    method(pool, 'open', (pick) => [seat(pick)]),
    method(pool, 'handOver', (pick) => [seat(pick), seat(pick)]),
    method(pool, 'heldWith', (pick) => [call(pick)]),
    method(pool, 'runsFor', (pick) => [call(pick)]),
    method(pool, 'load', (pick) => [seat(pick), new Float64Array(2 + pick(4))]),
    method(pool, 'memory', (pick) => [seat(pick)]),
    method(pool, 'within', (pick) => [call(pick), pick(9)]),
    method(pool, 'answer', (pick) => [pick(9), pick(2) === 0, '[]', pick(4)]),
    // A pool whose interpreter was given up does not answer the call that is right.
    (pick) => (pool.giveUp as (...args: unknown[]) => void)(...many(pick, 2), -1),
    method(pool, 'counters', () => []),
    (pick) => {
      const wrong = [-1, bench.seats, 2 ** 31, 0.5, '0', undefined, NaN][pick(7)]
      return (pool.stop as (...args: unknown[]) => void)(wrong, ...many(pick))
    },
    method(addon, 'allocate', (pick) => [[0, 1, 4096, 2 ** 31, 2 ** 40, 2 ** 53 - 1][pick(6)], pick(2) === 0]),
    method(addon, 'namespaces', () => []),
    method(addon, 'lockFile', (pick) => [['lock', '', 'no/such', '\0', 'x'.repeat(5000)][pick(5)]]),
    method(addon, 'unlockFile', (pick) => [pick(40)]),
  ]
}

/** The options of a pool with one of them wrong. */
function broken(options: object, any: (pick: Pick) => unknown, pick: Pick): object {
  const names = Object.keys(options)
  return { ...options, [names[pick(names.length)]!]: any(pick) }
}
