import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { PythonPool, PythonStuckError } from '../../lib/index'
import { openPool } from '../fixtures/modes'
import { program } from '../fixtures/program'

const GRACE = 150
/** Seconds that calls are stuck for; several times what it takes to give them up. */
const STUCK = 1.5

/** Makes a call that does not stop, aborts it, and waits until its interpreter has been given up. */
async function stick(pool: PythonPool, name = 'in_c', seconds = STUCK): Promise<void> {
  const { stuck } = pool.info()
  const controller = new AbortController()
  const started = once(pool, 'stdout')
  const call = pool.handler<number, number>(`sticking:${name}`).call([seconds], { signal: controller.signal })
  call.catch(() => {})
  await started
  controller.abort()
  await assert.rejects(call, { code: 'ERR_ABORTED' })
  await until(() => pool.info().stuck > stuck)
}

async function until(holds: () => boolean, limit = 10_000): Promise<void> {
  const end = performance.now() + limit
  while (!holds()) {
    assert.ok(performance.now() < end, `after ${limit} ms: ${holds}`)
    await pause(5)
  }
}

/** Whether as many calls as there are interpreters run at the same time, on threads of their own. */
async function allWork(pool: PythonPool): Promise<number[]> {
  const handler = pool.handler<number, number>('sticking:thread')
  await handler.call([])
  const threads = (await Promise.all(Array.from({ length: pool.size }, () => handler.call([1])))).flat()
  assert.equal(new Set(threads).size, pool.size)
  return threads
}

const MODES = [
  { isolation: 'shared', size: 1 },
  { isolation: 'shared', size: 2 },
  { isolation: 'namespace', size: 1 },
  { isolation: 'namespace', size: 2 },
] as const

for (const { isolation, size } of MODES) {
  describe(`an interpreter that is stuck (${isolation}, ${size})`, function () {
    this.timeout(30_000)
    let pool: PythonPool
    beforeEach(async function () {
      this.timeout(300_000)
      pool = await openPool({ isolation, size, grace: GRACE })
    })
    afterEach(async () => {
      await pool.close()
      // The next test's private copies may need the room.
      await until(() => pool.info().stuckNow === 0)
    })

    it('fails what it was in the middle of: batches of an async handler', async () => {
      const handler = pool.handler<number, number>('sticking:in_task')
      const neighbours: Promise<unknown>[] = []
      for (let i = 0; i < size; i++) {
        const waiting = once(pool, 'stdout')
        neighbours.push(handler.call([60 + i]).catch((error: PythonStuckError) => error.code))
        await waiting
      }
      const controller = new AbortController()
      const started = once(pool, 'stdout')
      const stuck = handler.call([-STUCK], { signal: controller.signal })
      stuck.catch(() => {})
      await started
      controller.abort()
      await assert.rejects(stuck, { code: 'ERR_ABORTED' })
      // One of them at least was beside it; which ones share an interpreter is the pool's choice.
      assert.equal(await Promise.race(neighbours), 'ERR_PYTHON_STUCK')
      await until(() => pool.info().stuckNow === 0)
      await allWork(pool)
      await pool.destroy()
      assert.ok(
        (await Promise.all(neighbours)).every((code) => code === 'ERR_PYTHON_STUCK' || code === 'ERR_POOL_CLOSED'),
      )
    })

    it('fails what it was in the middle of: a call whose callback called the one that is stuck', async () => {
      const controller = new AbortController()
      const inner = pool.handler<number, number>('sticking:in_c')
      // Where a second interpreter runs it, the first hears of the abort.
      const codes = size === 1 ? ['ERR_PYTHON_STUCK'] : ['ERR_PYTHON_STUCK', 'ERR_PYTHON_EXCEPTION']
      pool.expose('ask', (seconds) => inner.call([seconds as number], { signal: controller.signal }))
      const started = once(pool, 'stdout')
      const outer = pool.handler('sticking:asking').call([STUCK])
      outer.catch(() => {})
      await started
      controller.abort()
      await assert.rejects(outer, (error: PythonStuckError) => codes.includes(error.code))
      await until(() => pool.info().stuck === 1)
      await until(() => pool.info().stuckNow === 0)
      await allWork(pool)
    })

    for (const name of ['in_c', 'stubborn']) {
      it(`in a call that does not stop is replaced, and counts (${name})`, async () => {
        const before = await allWork(pool)
        await stick(pool, name)
        const after = await allWork(pool)
        assert.equal(before.filter((thread) => after.includes(thread)).length, size - 1)
        const { stuck, stuckNow, restarts, crashes, blocked } = pool.info()
        assert.deepEqual(
          { stuck, stuckNow, restarts, crashes, blocked },
          {
            stuck: 1,
            stuckNow: 1,
            restarts: 1,
            crashes: 0,
            blocked: null,
          },
        )
        assert.equal(pool.size, size)
      })
    }

    it('is given up while calls wait for it, and they run', async () => {
      const handler = pool.handler<number, number>('sticking:in_c')
      const identity = pool.handler<number, number>('sticking:identity')
      await Promise.all([identity.call([1]), handler.call([])])
      const stuck = Array.from({ length: size }, () => handler.call([STUCK], { timeout: 100 }))
      const waiting = Array.from({ length: 20 }, (_, item) => identity.call([item]))
      for (const call of stuck) await assert.rejects(call, { code: 'ERR_TIMEOUT' })
      assert.deepEqual(
        await Promise.all(waiting),
        Array.from({ length: 20 }, (_, item) => [item]),
      )
      await until(() => pool.info().restarts === size)
      await allWork(pool)
    })

    it('comes back: its result is dropped and its thread is free', async () => {
      await stick(pool)
      assert.equal(pool.info().stuckNow, 1)
      await until(() => pool.info().stuckNow === 0)
      assert.equal(pool.info().stuck, 1)
      await allWork(pool)
      assert.equal(pool.info().pending, 0)
    })

    it('again and again', async () => {
      for (let round = 1; round <= 4; round++) {
        await stick(pool, 'in_c', 0.5)
        await allWork(pool)
        assert.equal(pool.info().restarts, round)
      }
      await until(() => pool.info().stuckNow === 0)
    })

    it('keeps the memory of its call', async () => {
      const items = new Float64Array(new SharedArrayBuffer(8 << 18))
      items[0] = 1.5
      const handler = pool.handler<Float64Array, Float64Array>('sticking:writes_late', { codec: 'array' })
      await handler.call(new Float64Array(1)) // numpy is loaded
      // It has to be in C by then, however busy the machine is.
      const call = handler.call(items, { timeout: 500 })
      await assert.rejects(call, { code: 'ERR_TIMEOUT' })
      await until(() => pool.info().stuckNow === 1)
      await until(() => pool.info().stuckNow === 0)
      assert.equal(items[0], 7)
      assert.equal(items.at(-1), 7)
    })

    it('takes the state of a scan with it, which the next batch is told', async () => {
      const scan = pool.handler<number, number>('sticking:total', {
        ...{ mode: 'scan', seed: 0 },
      } as object)
      assert.deepEqual(await scan.call([1, 2]), [1, 3])
      await assert.rejects(scan.call([-STUCK], { timeout: 100 }), { code: 'ERR_TIMEOUT' })
      await assert.rejects(scan.call([3]), (error: PythonStuckError) => {
        assert.equal(error.code, 'ERR_PYTHON_STUCK')
        return /the state of this handler was lost/.test(error.message)
      })
      await scan.close()
      const anew = pool.handler<number, number>('sticking:total', { mode: 'scan', seed: 0 } as object)
      assert.deepEqual(await anew.call([1, 2]), [1, 3])
    })

    for (const way of ['close', 'destroy'] as const) {
      it(`does not keep ${way}() waiting`, async () => {
        await stick(pool, 'in_c', 3)
        const controller = new AbortController()
        const call = pool.handler<number, number>('sticking:in_c').call([3], { signal: controller.signal })
        call.catch(() => {})
        await once(pool, 'stdout')
        controller.abort()
        await pool[way]()
        await until(() => pool.info().stuck === 2)
        assert.equal(pool.info().stuckNow, 2, 'it waited for what is stuck')
      })
    }
  })
}

describe('a call that holds the GIL and does not stop', function () {
  this.timeout(60_000)

  it("leaves nothing to run in isolation 'shared', which is said; and all is well when it returns", async () => {
    const { stdout, stderr, status } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'shared', size: 2, grace: 100 })
      pool.on('stdout', () => {})
      const identity = pool.handler('sticking:identity')
      await identity.call([1])
      const code = (call) => call.then((value) => JSON.stringify(value), (error) => error.code)
      const first = code(pool.handler('sticking:in_c_with_gil').call([4], { timeout: 300 }))
      await new Promise((resolve) => setTimeout(resolve, 500))
      const waiting = code(identity.call([1]))
      console.log(await first, await waiting, await code(identity.call([2])))
      console.log(pool.info().blocked)
      while (pool.info().blocked !== null) await new Promise((resolve) => setTimeout(resolve, 10))
      console.log(await code(identity.call([3])), pool.info().stuck)
      await pool.close()
    `)
    assert.match(stdout, /^ERR_TIMEOUT ERR_PYTHON_STUCK ERR_PYTHON_STUCK\n/, stderr)
    assert.match(stdout, /holds Python's GIL/)
    assert.match(stdout, /\[3\] 1\n$/)
    assert.match(stderr, /RXJS_PYTHON_STUCK/)
    assert.equal(status, 0)
  })

  it("costs only its own copy of Python in isolation 'namespace'", async () => {
    const { stdout, stderr, status } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'namespace', size: 1, grace: 100 })
      const identity = pool.handler('sticking:identity')
      await identity.call([1])
      const stuck = pool.handler('sticking:in_c_with_gil').call([3600], { timeout: 100 })
      const failed = stuck.catch((error) => error.code)
      console.log(await identity.call([2]), await failed, pool.info().blocked)
      await pool.close()
      console.log('closed')
    `)
    assert.equal(stdout.replace('started\n', ''), '[ 2 ] ERR_TIMEOUT null\nclosed\n', stderr)
    assert.equal(status, 0)
  })

  it('does not keep the process where it holds a lock of the C library', async () => {
    const { stdout, stderr, status } = await program(`
      // Its standard input is a pipe that stays open and has nothing to say.
      const pool = await py.PythonPool.open({ python, path, isolation: 'shared', grace: 100 })
      const started = new Promise((resolve) => pool.on('stdout', resolve))
      pool.handler('sticking:in_getchar').call([1], { timeout: 2000 }).catch(() => {})
      await started
      console.log('leaving')
      process.exit(5)
    `)
    assert.equal(stdout, 'leaving\n', stderr)
    assert.equal(status, 5)
  })

  for (const way of ['close()', 'destroy()', 'process.exit(0)', 'nothing at all']) {
    it(`does not keep the process: ${way}`, async () => {
      const start = performance.now()
      const { stdout, stderr, status } = await program(`
        const pool = await py.PythonPool.open({ python, path, isolation: 'shared', grace: 100 })
        const call = pool.handler('sticking:in_c_with_gil').call([3600], { timeout: 200 })
        await call.catch((error) => console.log(error.code))
        ${way === 'nothing at all' ? '' : way.startsWith('process') ? way : `await pool.${way}`}
        console.log('left')
      `)
      assert.match(stdout, way.startsWith('process') ? /ERR_TIMEOUT/ : /ERR_TIMEOUT\nleft/, stderr)
      assert.equal(status, 0)
      assert.ok(performance.now() - start < 20_000)
    })
  }
})

describe('more stuck interpreters than there is room for', function () {
  this.timeout(60_000)

  /** Gets interpreters stuck, one after the other, until `enough`; they come back after some seconds. */
  const stickUntil = (enough: string) => `
    pool.on('stdout', () => {})
    const pause = (time) => new Promise((resolve) => setTimeout(resolve, time))
    const identity = pool.handler('sticking:identity')
    const stuck = pool.handler('sticking:in_c')
    await Promise.all([identity.call([1]), stuck.call([])])
    for (let count = 1; !(${enough}); count++) {
      const begun = new Promise((resolve) => pool.once('stdout', resolve))
      const controller = new AbortController()
      const call = stuck.call([10], { signal: controller.signal })
      await Promise.race([begun, call])
      controller.abort()
      await call.catch((error) => error.code === 'ERR_ABORTED' || console.log(error))
      while (pool.info().stuck < count) await pause(5)
      for (let i = 0; i < 200 && pool.info().restarts < count && !(${enough}); i++) await pause(5)
    }`

  it('leaves none: calls fail with the reason, until one comes back', async () => {
    const { stdout, stderr, status } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'namespace', grace: 50 })
      ${stickUntil('pool.info().blocked !== null')}
      console.log(pool.size, await identity.call([1]).catch((error) => error.code))
      console.log(pool.info().blocked)
      while (pool.info().blocked !== null) await pause(10)
      console.log(await identity.call([2]), pool.size)
      await pool.close()
    `)
    assert.match(
      stdout,
      /^0 ERR_PYTHON_STUCK\nno interpreter could be started in place of one that is stuck: .*\n\[ 2 ] 1\n$/,
      stderr,
    )
    assert.equal(status, 0)
  })

  it('leaves the work to the others, and what was meant for the one that is gone', async () => {
    const { stdout, stderr, status } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'namespace', size: 2, grace: 50 })
      const scans = [1, 2].map(() => pool.handler('sticking:total', { mode: 'scan', seed: 0 }))
      for (const scan of scans) await scan.call([1])
      ${stickUntil('pool.size === 1')}
      console.log(await identity.call([1]), pool.info().blocked)
      const states = await Promise.all(scans.map((scan) => scan.call([1]).then(String, (error) => error.code)))
      console.log(states.includes('ERR_PYTHON_STUCK'), states.every((state) => ['2', 'ERR_PYTHON_STUCK'].includes(state)))
      await pool.close()
      console.log('closed')
    `)
    assert.equal(stdout, '[ 1 ] null\ntrue true\nclosed\n', stderr)
    assert.match(stderr, /no interpreter could be started in place of one that is stuck/)
    assert.equal(status, 0)
  })

  it('are not made in one runtime without end', async () => {
    const { stdout, stderr, status } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'shared', grace: 20 })
      ${stickUntil('pool.info().blocked !== null')}
      console.log(pool.info().stuck, await identity.call([1]).catch((error) => error.code))
      while (pool.info().blocked !== null) await pause(10)
      console.log(await identity.call([2]))
      await pool.close()
    `)
    assert.equal(stdout, '33 ERR_PYTHON_STUCK\n[ 2 ]\n', stderr)
    assert.equal(status, 0)
  })
})

for (const isolation of ['shared', 'namespace'] as const) {
  describe(`a Worker that is terminated while Python is stuck (${isolation})`, function () {
    this.timeout(60_000)

    it('goes at once, and the memory of the call stays', async () => {
      const { stdout, stderr, status } = await program(`
        const { Worker } = require('node:worker_threads')
        const { once } = require('node:events')
        const source = 'require("tsx/cjs"); const py = require(' + JSON.stringify(require.resolve('./lib/index.ts')) + ');' + \`
          const { parentPort, workerData: { python, path } } = require('node:worker_threads')
          py.PythonPool.open({ python, path, isolation: '${isolation}', grace: 100 }).then((pool) => {
            pool.on('stdout', () => parentPort.postMessage('started'))
            const items = new Float64Array(new SharedArrayBuffer(16 << 20))
            items[0] = 1.5
            pool.handler('sticking:writes_late', { codec: 'array' }).call(items).catch(() => {})
          })\`
        const worker = new Worker(source, { eval: true, workerData: { python, path } })
        await once(worker, 'message')
        const start = performance.now()
        await worker.terminate()
        console.log(performance.now() - start < 2000 ? 'gone' : 'waited')
        await new Promise((resolve) => setTimeout(resolve, 4000))
        const pool = await py.PythonPool.open({ python, path, isolation: '${isolation}' })
        console.log((await pool.handler('sticking:held').call([0]))[0])
        await pool.close()
      `)
      assert.equal(stdout, `gone\n${(7 * (16 << 20)) / 8}\n`, stderr)
      assert.equal(status, 0)
    })
  })
}
