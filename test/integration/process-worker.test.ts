import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { PythonPool } from '../../lib/index'
import { packageRoot } from '../../lib/package-root'
import { HANDLERS, openPool } from '../fixtures/modes'
import { testPython } from '../fixtures/python'

/** Whether a process runs; one that has ended and waits to be buried does not. */
function runs(id: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${id}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function gone(ids: readonly number[]): Promise<void> {
  const limit = performance.now() + 3000
  while (ids.some(runs)) {
    assert.ok(performance.now() < limit, `still there: ${ids.filter(runs)}`)
    await pause(5)
  }
}

describe('worker processes', () => {
  before(async function () {
    this.timeout(300_000)
    await testPython()
  })

  it('inherit no descriptors but their own', async () => {
    await using pool = await openPool({ isolation: 'process' })
    const [found] = await pool.handler<number, Record<string, string>>('crashing:descriptors').call([1])
    const { '0': input, '1': _out, '2': _err, ...own } = found!
    assert.equal(input, '/dev/null')
    const [wake, answers, ...more] = Object.keys(own).slice(3)
    assert.deepEqual([Object.keys(own).slice(0, 3), more], [['3', '4', '5'], []])
    assert.deepEqual([own[wake!], own[answers!]!.split('[')[0]], ['anon_inode:[eventfd]', 'socket:'])
    assert.match(own['3']!, /^socket:/)
    assert.match(own['4']!, /^\/memfd:rxjs-python/)
    assert.match(own['5']!, /^\/memfd:rxjs-python-faults/)
  })

  it('have the variables that Python needs, those of the option, and no others', async () => {
    process.env.RXP_TEST_SECRET = 'hidden'
    process.env.PYTHON_TEST_SETTING = 'seen'
    process.env.OPENBLAS_NUM_THREADS = '3'
    try {
      await using pool = await openPool({ isolation: 'process', env: { MINE: 'yes', OPENBLAS_NUM_THREADS: undefined } })
      const [found] = await pool.handler<number, Record<string, string>>('crashing:environment').call([1])
      assert.equal(found!.RXP_TEST_SECRET, undefined)
      assert.equal(found!.PYTHON_TEST_SETTING, 'seen')
      assert.equal(found!.MINE, 'yes')
      assert.equal(found!.OPENBLAS_NUM_THREADS, undefined)
      assert.equal(found!.PATH, process.env.PATH)
    } finally {
      for (const name of ['RXP_TEST_SECRET', 'PYTHON_TEST_SETTING', 'OPENBLAS_NUM_THREADS']) delete process.env[name]
    }
  })

  it('are killed and replaced when C code does not stop, and count as stuck', async () => {
    await using pool = await openPool({ isolation: 'process', size: 2, grace: 200 })
    const handler = pool.handler<string, unknown>('crashing:stuck')
    const neighbours = pool.handler<number, number>('crashing:nap')
    await neighbours.call([0])
    const started = once(pool, 'stdout')
    const start = performance.now()
    const call = handler.call([''], { timeout: 300 })
    call.catch(() => {})
    await started
    const others = Promise.all([0.3, 0.3, 0.3].map((time) => neighbours.call([time])))
    await assert.rejects(call, { code: 'ERR_TIMEOUT' })
    await others
    while (pool.info().stuck === 0) await pause(5)
    assert.ok(performance.now() - start < 3000)
    const ids = await Promise.all([neighbours.call([0.2]), neighbours.call([0.2])])
    assert.notDeepEqual(ids[0], ids[1], 'both interpreters work again')
    assert.deepEqual([pool.info().stuck, pool.info().crashes, pool.info().restarts], [1, 0, 1])
  })

  it('go when the pool closes, and when it is destroyed', async () => {
    for (const way of ['close', 'destroy'] as const) {
      const pool = await openPool({ isolation: 'process', size: 2 })
      const handler = pool.handler<number, number>('crashing:nap')
      const ids = (await Promise.all([handler.call([0.05]), handler.call([0.05])])).flat()
      assert.equal(ids.filter(runs).length, 2)
      await pool[way]()
      await gone(ids)
    }
  })

  it('do not keep quick calls waiting behind a slow one', async () => {
    await using pool = await openPool({ isolation: 'process', size: 2 })
    const handler = pool.handler<number, number>('crashing:nap')
    for (let i = 0; i < 200; i++) await handler.call([0]) // known to be quick
    let slow = false
    const calls = Array.from({ length: 60 }, (_, i) => handler.call([i === 10 ? 1 : 0]))
    calls[10]!.then(() => {
      slow = true
    })
    const start = performance.now()
    await Promise.all(calls.filter((_, i) => i !== 10))
    assert.ok(!slow, `the quick ones took ${performance.now() - start} ms`)
    await calls[10]
  })

  it('are handed what waited behind a call that was taken back from them', async () => {
    await using pool = await openPool({ isolation: 'process' })
    const handler = pool.handler<number, number>('crashing:nap')
    for (let i = 0; i < 20; i++) await handler.call([0.002]) // known to be slow: they are handed over one by one
    for (let round = 0; round < 50; round++) {
      const over = new AbortController()
      const taken = handler.call([0], { signal: over.signal })
      const behind = handler.call([0])
      over.abort()
      await assert.rejects(taken, { code: 'ERR_ABORTED' })
      const found = await Promise.race([behind.then(() => true), pause(5000, false, { ref: false })])
      assert.ok(found, `round ${round}: it waits for ever`)
    }
  })

  it('that fork are not answered for by the copy', async () => {
    await using pool = await openPool({ isolation: 'process' })
    assert.deepEqual(await pool.handler('crashing:forks').call([1]), ['the worker'])
    assert.deepEqual(await pool.handler('crashing:forks').call([1]), ['the worker'])
  })

  it('take large texts and arrays both ways', async () => {
    await using pool = await openPool({ isolation: 'process', size: 2 })
    const text = pool.handler<string, string>('lambda batch: [item[::-1] for item in batch]', { codec: 'string' })
    for (const unit of ['a', 'é', '語', '😀']) {
      const items = [unit.repeat(300_000), '', unit, 'x'.repeat(1 << 20)]
      const expected = items.map((item) => [...item].reverse().join(''))
      for (let round = 0; round < 3; round++) assert.deepEqual(await text.call(items), expected)
    }
    const array = pool.handler<Float64Array, Float64Array>('lambda a: a * 2', { codec: 'array' })
    for (const size of [1, 1000, 100_000, 2_000_000]) {
      const input = new Float64Array(size).map((_, i) => i)
      const results = await Promise.all([array.call(input), array.call(input), array.call(input)])
      for (const result of results)
        assert.deepEqual(
          result,
          input.map((value) => value * 2),
        )
    }
    const buffers = pool.handler<Uint8Array, Uint8Array>('lambda batch: batch', { codec: 'buffer' })
    const items = Array.from({ length: 3000 }, (_, i) => new Uint8Array(i % 777).fill(i))
    assert.deepEqual(await buffers.call(items), items)
  })

  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGSEGV'] as const) {
    it(`leave no orphans when Node is ended by ${signal} in the middle of a call`, async () => {
      const program = `
        const { PythonPool } = require(${JSON.stringify(join(packageRoot, 'lib', 'index.ts'))})
        ;(async () => {
          const pool = await PythonPool.open(${JSON.stringify({
            python: await testPython(),
            path: HANDLERS,
            isolation: 'process',
            size: 2,
          })})
          const handler = pool.handler('crashing:nap')
          const ids = (await Promise.all([handler.call([0.05]), handler.call([0.05])])).flat()
          pool.on('stdout', () => console.log(JSON.stringify(ids)))
          pool.handler('crashing:stuck').call([1])
        })()`
      const child = spawn(process.execPath, ['--import=tsx', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = await once(child.stdout, 'data')
      const ids = JSON.parse(String(line)) as number[]
      assert.equal(ids.filter(runs).length, 2)
      child.kill(signal)
      await once(child, 'close')
      await gone(ids)
    })
  }

  it('need no shared library of Python', async function () {
    const debian = '/usr/bin/python3'
    const linked = existsSync(debian) && spawnSync('ldd', [debian], { encoding: 'utf8' }).stdout
    if (!linked || linked.includes('libpython')) return this.skip() // this system's Python is not a static one
    await using pool = await PythonPool.open({ python: debian, path: HANDLERS, isolation: 'process' })
    const [version] = await pool.handler<number, string>('crashing:version').call([1])
    assert.match(version!, /^3\./)
  })
})
