/** What keeps Python × isolation × the way of stopping it. How fast it is: `bench/show/probes/interrupt-latency.ts`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { concat, NEVER, of } from 'rxjs'
import { type Handler, mapPython, PythonPool } from '../../lib/index'
import { testPython } from '../fixtures/python'

const FOLDER = join(__dirname, '..', 'lifecycle')
/** Milliseconds; none of the handlers would end by itself within an hour. */
const SOON = 3000

/** Functions of stopping.py. */
const CODE = ['loop', 'stubborn']
const WAITS = [
  'sleep',
  'lock',
  'event',
  'queue_get',
  'join',
  'recv',
  'wait_readable',
  'read_pipe',
  'wait_process',
  'coroutine',
]

type NumberHandler = Handler<number, number>

/** Each begins to run a handler on one item and says how it is stopped, and what shows that it was. */
const WAYS: Record<string, (handler: NumberHandler) => { stop?: () => void; stopped: Promise<unknown> }> = {
  'an AbortSignal': (handler) => {
    const controller = new AbortController()
    const call = handler.call([1], { signal: controller.signal })
    return { stop: () => controller.abort(), stopped: assert.rejects(call, { code: 'ERR_ABORTED' }) }
  },
  'a time limit': (handler) => ({
    stopped: assert.rejects(handler.call([1], { timeout: 500 }), { code: 'ERR_TIMEOUT' }),
  }),
  unsubscribing: (handler) => {
    const subscription = concat(of(1), NEVER)
      .pipe(mapPython(handler, { batch: 1 }))
      .subscribe()
    return { stop: () => subscription.unsubscribe(), stopped: Promise.resolve() }
  },
}

for (const { isolation, size } of [
  { isolation: 'shared', size: 1 },
  { isolation: 'namespace', size: 2 },
  { isolation: 'process', size: 2 },
  { isolation: 'shared', size: 2 },
] as const) {
  describe(`what stops Python (${isolation}, ${size})`, function () {
    this.timeout(20_000)
    // Of several threads of one runtime only its main thread can be woken from a wait: see 'Interrupting a call' in
    // docs/architecture.md.
    const allStop = isolation !== 'shared' || size === 1
    let pool: PythonPool
    let nap: NumberHandler
    before(async function () {
      this.timeout(300_000)
      pool = await PythonPool.open({ python: await testPython(), isolation, size, path: FOLDER, grace: 1000 })
      pool.on('stdout', () => {})
      nap = pool.handler('stopping:nap')
      await nap.call([0])
    })
    after(() => pool?.close())

    /** Every interpreter answers soon: as many naps at once as there are interpreters. */
    const allFree = async () => {
      const start = performance.now()
      await Promise.all(Array.from({ length: size }, () => nap.call([0.02])))
      assert.ok(performance.now() - start < SOON, 'an interpreter is still busy')
    }

    // A regular expression keeps the GIL: where others share it, and it cannot be woken, it stops them all.
    for (const name of [...CODE, ...WAITS, ...(allStop ? ['regex'] : [])]) {
      for (const [way, begin] of Object.entries(WAYS)) {
        const stops = allStop || CODE.includes(name)
        it(`${way} ${stops ? 'stops' : 'is answered at once, and others run in place of'} ${name}`, async () => {
          const handler = pool.handler<number, number>(`stopping:${name}`)
          await pool.handler<number, number>('stopping:identity').call([]) // made later, so both have loaded now
          const neighbours: Promise<number[]>[] = []
          for (let i = 1; i < size; i++) {
            const begun = once(pool, 'stdout')
            neighbours.push(nap.call([0.3]))
            await begun
          }
          const { stuck } = pool.info()
          const begun = once(pool, 'stdout')
          const { stop, stopped } = begin(handler)
          await begun
          const start = performance.now()
          stop?.()
          await stopped
          assert.ok(performance.now() - start < SOON)
          await allFree()
          if (stops) assert.equal(pool.info().stuck, stuck, 'it was given up instead of stopped')
          for (const neighbour of neighbours) assert.deepEqual(await neighbour, [0.3])
          await handler.close()
        })
      }
    }
  })
}
