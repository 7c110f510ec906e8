import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { concat, NEVER, of } from 'rxjs'
import { type CallOptions, type Handler, mapPython, PythonPool, type RxjsPythonError } from '../../lib/index'
import { testPython } from '../fixtures/python'

const FOLDER = join(__dirname, '..', 'lifecycle')
/** Milliseconds: what stops Python takes a few; without it the wait would be an hour. */
const SOON = 3000

const POOLS = [
  { title: 'shared, one interpreter', isolation: 'shared', size: 1 },
  { title: 'namespace, two interpreters', isolation: 'namespace', size: 2 },
  { title: 'process, two interpreters', isolation: 'process', size: 2 },
  { title: 'shared, two interpreters', isolation: 'shared', size: 2 },
] as const

for (const { title, isolation, size } of POOLS) {
  describe(`stopping Python (${title})`, function () {
    this.timeout(20_000)
    let pool: PythonPool
    const handlers = new Map<string, Handler<number, number>>()
    const handler = (name: string) => {
      const known = handlers.get(name) ?? pool.handler<number, number>(`stopping:${name}`)
      handlers.set(name, known)
      return known
    }
    /** Makes a call and waits until Python is in the middle of it. */
    const started = async (name: string, item: number, options?: CallOptions) => {
      const begun = once(pool, 'stdout')
      const call = handler(name).call([item], options)
      call.catch(() => {})
      await begun
      return { call }
    }
    /** Keeps all interpreters for a while; gives the calls that do so. */
    const occupyAll = async () => {
      const naps: Promise<unknown>[] = []
      for (let i = 0; i < size; i++) naps.push((await started('nap', 0.3)).call)
      return naps
    }
    /** Every interpreter answers soon: as many naps at once as there are interpreters. */
    const allFree = async () => {
      const start = performance.now()
      await Promise.all(Array.from({ length: size }, () => handler('nap').call([0.02])))
      assert.ok(performance.now() - start < SOON, 'an interpreter is still busy')
    }

    before(async function () {
      this.timeout(300_000)
      pool = await PythonPool.open({ python: await testPython(), isolation, size, path: FOLDER })
      pool.on('stdout', () => {})
      for (const name of ['loop', 'note', 'nap', 'tidy', 'count_cleaned', 'short']) handler(name)
      await handler('identity').call([]) // made last, so all have loaded now
    })
    after(() => pool?.close())

    it('an abort says why', async () => {
      const controller = new AbortController()
      const { call } = await started('loop', 1, { signal: controller.signal })
      const reason = new Error('enough')
      controller.abort(reason)
      await assert.rejects(call, { name: 'AbortError', code: 'ERR_ABORTED', cause: reason })
      await allFree()
    })

    it('a time limit stops what runs', async () => {
      const start = performance.now()
      await assert.rejects(handler('loop').call([1], { timeout: 50 }), { code: 'ERR_TIMEOUT' })
      assert.ok(performance.now() - start < SOON)
      await allFree()
    })

    /** Makes calls that have to wait, ends them before their turn, and checks that Python never got them. */
    const takenBack = async (options: () => CallOptions, code: string, act: () => void) => {
      const ran: string[] = []
      const listen = (text: string) => text.includes('ran') && ran.push(text)
      pool.on('stdout', listen)
      const naps = await occupyAll()
      const waiting = Array.from({ length: 3 }, () => handler('note').call([7], options()))
      const ends = Promise.allSettled(waiting)
      await pause(20)
      assert.equal(pool.info().waiting, 3)
      act()
      for (const end of await ends) assert.equal(end.status === 'rejected' && end.reason.code, code)
      assert.equal(pool.info().waiting, 0)
      await Promise.all(naps)
      await allFree() // what still waited would have come before this
      pool.off('stdout', listen)
      assert.deepEqual(ran, [])
    }

    it('a time limit takes back what waits: it never runs', () =>
      takenBack(
        () => ({ timeout: 50 }),
        'ERR_TIMEOUT',
        () => {},
      ))

    it('an abort takes back what waits: it never runs', () => {
      const controller = new AbortController()
      return takenBack(
        () => ({ signal: controller.signal }),
        'ERR_ABORTED',
        () => controller.abort(),
      )
    })

    it('a signal that was aborted before keeps the call from being made', async () => {
      const call = handler('loop').call([1], { signal: AbortSignal.abort() })
      await assert.rejects(call, { code: 'ERR_ABORTED' })
      assert.equal(pool.info().pending, 0)
      await allFree()
    })

    it('an abort after the result changes nothing', async () => {
      const controller = new AbortController()
      const answers = await Promise.all([1, 2].map((item) => handler('identity').call([item], controller)))
      controller.abort()
      assert.deepEqual(answers, [[1], [2]])
      assert.deepEqual(await handler('identity').call([3]), [3])
    })

    it('one signal stops all its calls, and no other', async () => {
      const controller = new AbortController()
      const others = [1, 2, 3].map((item) => handler('short').call([item]))
      const calls = Array.from({ length: 6 }, () => handler('loop').call([1], { signal: controller.signal }))
      await pause(30)
      controller.abort()
      for (const call of calls) await assert.rejects(call, { code: 'ERR_ABORTED' })
      assert.deepEqual(await Promise.all(others), [[2], [4], [6]])
      await allFree()
    })

    it('a handler that is stopped may clean up', async () => {
      // An interpreter of another test's pool that is stuck for good keeps the module, and its count.
      const cleaned = async () => {
        const counts = Array.from({ length: 4 * size }, () => handler('count_cleaned').call([1]))
        return Math.max(...(await Promise.all(counts)).flat())
      }
      const before = await cleaned()
      const controller = new AbortController()
      const { call } = await started('tidy', 1, { signal: controller.signal })
      controller.abort()
      await assert.rejects(call, { code: 'ERR_ABORTED' })
      await allFree()
      assert.equal(await cleaned(), before + 1)
    })

    it('unsubscribing stops what runs and takes back what waits', async () => {
      const begun = once(pool, 'stdout')
      const subscription = concat(of(1, 2, 3), NEVER)
        .pipe(mapPython(handler('loop'), { batch: 1, concurrency: 3 }))
        .subscribe()
      await begun
      subscription.unsubscribe()
      await allFree()
      assert.equal(pool.info().pending, 0)
    })

    if (size > 1) {
      it('the neighbour is not harmed', async () => {
        for (let round = 0; round < 5; round++) {
          const { call: neighbour } = await started('nap', 0.1)
          const controller = new AbortController()
          const { call } = await started('loop', 1, { signal: controller.signal })
          controller.abort()
          await assert.rejects(call, { code: 'ERR_ABORTED' })
          assert.deepEqual(await neighbour, [0.1])
        }
      })
    }

    it('300 aborts at any time never hit another call', async () => {
      let aborted = 0
      let random = 12345
      const next = (below: number) => {
        random = (random * 1103515245 + 12345) % 2 ** 31
        return random % below
      }
      const one = async (item: number) => {
        const controller = new AbortController()
        const cancelled = item % 2 === 0
        const call = handler('short').call([item], cancelled ? { signal: controller.signal } : {})
        if (cancelled) abortAfter(controller, next(1500))
        try {
          assert.deepEqual(await call, [2 * item])
        } catch (error) {
          assert.ok(cancelled, `call ${item} was hit by another's abort: ${(error as RxjsPythonError).stack}`)
          assert.equal((error as RxjsPythonError).code, 'ERR_ABORTED', (error as Error).stack)
          aborted++
        }
      }
      for (let item = 1; item <= 600; item += 3) await Promise.all([one(item), one(item + 1), one(item + 2)])
      assert.ok(aborted > 30, `${aborted} of 300 calls were aborted in time`)
      await allFree()
    })
  })
}

/** Aborts after so many microseconds, to hit the moment at which a call ends; timers are too coarse for that. */
function abortAfter(controller: AbortController, microseconds: number): void {
  const until = performance.now() + microseconds / 1000
  const look = () => {
    if (performance.now() >= until) controller.abort()
    else setImmediate(look)
  }
  setImmediate(look)
}
