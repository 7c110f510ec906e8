import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { CallbackError, PoolClosedError, PythonError } from '../../lib/index'
import { packageRoot } from '../../lib/package-root'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool } from '../fixtures/modes'
import { program } from '../fixtures/program'
import { temporaryFolder } from '../fixtures/temporary'

/** Milliseconds: far above what anything here takes, and far below a hang. */
const SOON = 3000
const never = () => new Promise(() => {})

const CALLBACKS = {
  echo: (value: unknown) => value,
  late: async (value: unknown) => {
    await pause(5)
    return value
  },
  nothing: () => {},
  add: (a: number, b: number) => a + b,
  size: (text: string) => text.length,
  never,
  boom: () => {
    throw Object.assign(new TypeError('out of order'), { code: 'ERR_ORDER' })
  },
  rejects: async () => {
    await pause(1)
    throw new RangeError('too far')
  },
  'throws a text': () => {
    throw 'just a text'
  },
  map: () => new Map(),
}

inEachMode(
  'Python calls JavaScript',
  (test) => {
    const handler = (name: string) => test.pool.handler<unknown, unknown>(`calling:${name}`)

    it('gets what the function returns, awaited where it is a promise', async () => {
      const calls = [
        ['add', [2, 3]],
        ['late', ['x']],
        ['nothing', []],
      ]
      assert.deepEqual(await handler('call').call(calls), [5, 'x', null])
    })

    it('values are those of the json codec, both ways', async () => {
      const values = [null, true, 1.5, -0, NaN, Infinity, 10n ** 30n, 7n, 'ä€😀', '\0x', [1, [2]], { a: { b: [] } }]
      assert.deepEqual(await handler('echo').call(values), values)
      assert.deepEqual(await handler('types').call([1, 1.5, 1n, 'x', null, {}]), [
        'int',
        'float',
        'BigInt',
        'str',
        'NoneType',
        'dict',
      ])
    })

    it('long values cross', async () => {
      const values = ['x'.repeat(3_000_000), '€'.repeat(300_000)]
      assert.deepEqual(await handler('echo').call(values), values)
    })

    it('thousands of calls from one batch', async () => {
      assert.deepEqual(await handler('many').call([3000]), [3_000_000])
    })

    it('what it throws is a JavaScriptError with name, message, code and stack', async () => {
      const found = (await handler('failure').call([
        ['boom', []],
        ['rejects', []],
        ['throws a text', []],
      ])) as string[][]
      assert.deepEqual(
        found.map((each) => each.slice(0, 3)),
        [
          ['TypeError', 'out of order', 'ERR_ORDER'],
          ['RangeError', 'too far', null],
          ['Error', 'just a text', null],
        ],
      )
      assert.match(found[0]![3]!, /^TypeError: out of order\n +at .*boom .*callbacks\.test\.ts/)
      assert.doesNotMatch(found[0]![3]!, /calledByPython|lib.pool/)
    })

    it('an unknown name, and a result that is no data, say so', async () => {
      const [unknown, map] = (await handler('failure').call([
        ['nobody', []],
        ['map', []],
      ])) as string[][]
      assert.deepEqual([unknown![0], unknown![2]], ['CallbackError', 'ERR_CALLBACK'])
      assert.match(unknown![1]!, /there is no callback 'nobody': the pool exposes 'echo', 'late'/)
      assert.deepEqual([map![0], map![2]], ['CallbackError', 'ERR_CALLBACK'])
    })

    it('an argument that is no data is a TypeError in Python', async () => {
      const error = await failsWith(handler('unfit').call([1]), PythonError, 'ERR_PYTHON_EXCEPTION')
      assert.equal(error.pythonType, 'TypeError')
      assert.match(error.message, /an argument of 'echo' cannot go to JavaScript: .*set/)
    })

    it('an error that Python lets pass has the stacks of both sides', async () => {
      const error = await failsWith(handler('call').call([['boom', []]]), PythonError, 'ERR_PYTHON_EXCEPTION')
      assert.equal(error.pythonType, 'rxjs_python.host.JavaScriptError')
      assert.equal(error.pythonMessage, 'TypeError: out of order')
      assert.match(error.pythonTraceback, /calling\.py", line \d+, in call/)
      assert.match(error.notes[0]!, /in JavaScript:\nTypeError: out of order\n +at .*callbacks\.test\.ts/)
    })

    it('an exception that goes through JavaScript and back keeps its causes', async () => {
      const broken = handler('broken')
      using _exposed = test.pool.expose('broken', () => broken.call([1]))
      const error = await failsWith(handler('call').call([['broken', []]]), PythonError, 'ERR_PYTHON_EXCEPTION')
      const inner = error.cause as PythonError
      assert.deepEqual([inner.pythonType, inner.pythonMessage], ['ValueError', 'a bad batch'])
      assert.match(inner.pythonTraceback, /in broken/)
      assert.equal((inner.cause as PythonError).pythonType, 'KeyError')
    })

    it('futures: many at once, exceptions, impatience, cancelling', async () => {
      const items = Array.from({ length: 50 }, (_, i) => i)
      assert.deepEqual(await handler('futures').call(items), items)
      assert.deepEqual(await handler('failing_future').call(['boom']), ['TypeError: out of order'])
      assert.deepEqual(await handler('impatient').call(['never']), [true])
      assert.deepEqual(await handler('cancelled').call(['never']), [true])
    })

    it('call_async: a task each', async () => {
      const items = Array.from({ length: 50 }, (_, i) => i)
      assert.deepEqual(await handler('awaited').call(items), items)
    })

    it('threads that the handler started, also when its call has ended', async () => {
      const items = Array.from({ length: 20 }, (_, i) => i)
      assert.deepEqual(await handler('threads').call(items), items)
      const heard = test.pool.handler<number, string[]>('calling:heard')
      await handler('background').call([1])
      const until = performance.now() + SOON
      const all = async () => (await Promise.all([heard.call([1]), heard.call([1])])).flat(2)
      // Whichever interpreter answers: only one of them ran the handler.
      let answers: string[] = []
      while (answers.length === 0) {
        assert.ok(performance.now() < until, 'the thread got no answer')
        await pause(10)
        answers = await all()
      }
      assert.equal(answers[0], 'from a thread')
    })

    it('a callback may call handlers of the same pool, however deep', async () => {
      for (const name of ['factorial', 'future_factorial']) {
        const factorial = test.pool.handler<number, number>(`calling:${name}`)
        using _exposed = test.pool.expose(name, async (n: number) => {
          await pause(1)
          return (await factorial.call([n]))[0]
        })
        assert.deepEqual(await factorial.call([1, 6, 14]), [1, 720, 87178291200])
        await Promise.all(Array.from({ length: 8 }, () => factorial.call([9]))).then((results) => {
          for (const result of results) assert.deepEqual(result, [362880])
        })
      }
    })

    it('as deep as the stack allows, not deeper', async () => {
      const factorial = test.pool.handler<number, number>('calling:factorial')
      using _exposed = test.pool.expose('factorial', async (n: number) => (await factorial.call([n]))[0])
      const error = await failsWith(factorial.call([1000]), PythonError, 'ERR_PYTHON_EXCEPTION')
      let last: Error = error
      while (last.cause instanceof Error) last = last.cause
      assert.ok(last instanceof PythonError)
      assert.deepEqual(await factorial.call([5]), [120])
    })

    it('a callback may make a handler, call many at once, and async ones', async () => {
      using _exposed = test.pool.expose('doubled', async (count: number, name: string) => {
        const double = test.pool.handler<number, number>(`calling:${name}`)
        const calls = Array.from({ length: count }, (_, i) => double.call([i]))
        const results = (await Promise.all(calls)).flat()
        await double.close()
        return results.reduce((sum, one) => sum + one, 0)
      })
      for (const how of ['call', 'awaited_once', 'blocking']) {
        for (const name of ['double', 'double_async']) {
          assert.deepEqual(await handler(how).call([['doubled', [20, name]]]), [380], `${how} ${name}`)
        }
      }
      assert.deepEqual(await handler('call').call([['doubled', [400, 'double']]]), [159_600])
    })

    it('a call that its callback makes with memory', async () => {
      using _exposed = test.pool.expose('sums', async () => {
        const sum = test.pool.handler({ source: 'lambda a: a * 2' }, { codec: 'array' })
        const shared = test.pool.allocate(Float64Array, 3)
        shared.set([1, 2, 3])
        return [...(await sum.call(shared)), ...(await sum.call(Float64Array.of(4)))]
      })
      assert.deepEqual(await handler('call').call([['sums', []]]), [[2, 4, 6, 8]])
    })

    it('a scan may call, but not be called by what it waits for', async () => {
      const total = test.pool.handler<number, number>('calling:running_total').variant<number>('scan', { seed: 0 })
      assert.deepEqual(await Promise.all([total.call([1, 2]), total.call([3])]), [[1, 3], [6]])
    })

    it('a time limit and an abort end the wait', async () => {
      for (const how of ['call', 'awaited_once']) {
        const start = performance.now()
        await assert.rejects(handler(how).call([['never', []]], { timeout: 50 }), { code: 'ERR_TIMEOUT' })
        const controller = new AbortController()
        const call = handler(how).call([['never', []]], { signal: controller.signal })
        setTimeout(() => controller.abort(), 20)
        await assert.rejects(call, { code: 'ERR_ABORTED' })
        // Each interpreter is free again.
        await Promise.all(Array.from({ length: test.mode.size * 2 }, () => handler('double').call([1])))
        assert.ok(performance.now() - start < SOON, 'an interpreter still waits')
      }
    })

    it('a time limit ends a call whose callback is busy with a call of its own', async () => {
      const wait = handler('call')
      using _exposed = test.pool.expose('waits', () => wait.call([['never', []]], { timeout: 200 }))
      const start = performance.now()
      await assert.rejects(wait.call([['waits', []]], { timeout: 50 }), { code: 'ERR_TIMEOUT' })
      await Promise.all(Array.from({ length: test.mode.size }, () => handler('double').call([1])))
      assert.ok(performance.now() - start < SOON, 'an interpreter still waits')
    })

    it('can be removed', async () => {
      const exposed = test.pool.expose('for a while', () => 1)
      assert.deepEqual(await handler('call').call([['for a while', []]]), [1])
      assert.throws(() => test.pool.expose('for a while', () => 2), { code: 'ERR_OPTION' })
      exposed.remove()
      const [gone] = (await handler('failure').call([['for a while', []]])) as string[][]
      assert.equal(gone![2], 'ERR_CALLBACK')
    })
  },
  { callbacks: CALLBACKS },
)

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`ending while Python waits for JavaScript, ${isolation}`, () => {
    it('close() waits for it, and it may still call handlers', async () => {
      const pool = await openPool({ isolation, size: 1 })
      const double = pool.handler<number, number>('calling:double')
      let answer = () => {}
      let asking = false
      pool.expose('ask', async () => {
        asking = true
        await new Promise<void>((resolve) => {
          answer = resolve
        })
        return (await double.call([21]))[0]
      })
      await double.call([1])
      const asked = pool.handler<unknown, number>('calling:call').call([['ask', []]])
      while (!asking) await pause(1)
      const closed = pool.close()
      await assert.rejects(double.call([1]), { code: 'ERR_POOL_CLOSED' })
      answer()
      assert.deepEqual(await asked, [42])
      await closed
    })

    it('destroy() ends it with an error in Python', async () => {
      await using folder = await temporaryFolder()
      const file = join(folder.path, 'ended')
      let asked = () => {}
      const waiting = new Promise<void>((resolve) => {
        asked = resolve
      })
      const ask = () => {
        asked()
        return never()
      }
      const pool = await openPool({ isolation, size: 1, callbacks: { ask } })
      const call = pool.handler('calling:says').call([['ask', file]])
      call.catch(() => {})
      await waiting
      await pool.destroy()
      await failsWith(call, PoolClosedError, 'ERR_POOL_CLOSED')
      await pool.close()
      const until = performance.now() + SOON
      let text = ''
      while (text === '' && performance.now() < until) {
        text = await readFile(file, 'utf8').catch(() => '')
        await pause(10)
      }
      assert.match(text, /^(JavaScriptError ERR_POOL_CLOSED|Interrupted)/)
    })

    it('an answer that comes when nobody waits any more is dropped', async () => {
      await using pool = await openPool({ isolation, size: 1 })
      let answer = (_value: unknown) => {}
      pool.expose('ask', () => new Promise((resolve) => (answer = resolve)))
      const call = pool.handler<unknown, unknown>('calling:call')
      await assert.rejects(call.call([['ask', []]], { timeout: 100 }), { code: 'ERR_TIMEOUT' })
      answer(1)
      pool.expose('next', () => 2)
      assert.deepEqual(await call.call([['next', []]]), [2])
    })
  })
}

describe('callbacks and worker processes that crash', () => {
  it('the call fails, another process goes on', async () => {
    await using pool = await openPool({ isolation: 'process', size: 1, callbacks: { never, one: () => 1 } })
    await assert.rejects(pool.handler('calling:crash').call(['never']), { code: 'ERR_PYTHON_CRASH', exitCode: 9 })
    assert.deepEqual(await pool.handler<unknown, number>('calling:call').call([['one', []]]), [1])
  })
})

describe('callbacks and the ends of threads and processes', function () {
  this.timeout(120_000)
  const wait = `pool.handler('calling:call').call([['never', []]]).catch(() => {}); while (!asked) await pause(1);`
  const open = `
    const { setTimeout: pause } = require('node:timers/promises')
    let asked = false
    const callbacks = { never: () => { asked = true; return new Promise(() => {}) }, add: (a, b) => a + b }
    const pool = await py.PythonPool.open({ python, path, isolation, size: 1, callbacks })`

  for (const isolation of ['shared', 'namespace', 'process']) {
    it(`process.exit() while Python waits, ${isolation}`, async () => {
      const ended = await program(`const isolation = '${isolation}'; ${open}; ${wait} process.exit(7)`)
      assert.deepEqual(ended, { status: 7, signal: null, stdout: '', stderr: '' })
    })

    it(`Workers use them, and are terminated while Python waits, ${isolation}`, async () => {
      const inWorker = `
        const { parentPort } = require('node:worker_threads')
        require('tsx/cjs')
        const py = require(${JSON.stringify(join(packageRoot, 'lib', 'index.ts'))})
        async function main() {
          const [python, path, isolation] = require('node:worker_threads').workerData
          ${open}
          parentPort.postMessage(await pool.handler('calling:call').call([['add', [2, 3]]]))
          ${wait} parentPort.postMessage('waiting')
        }
        main()`
      const ended = await program(`
        const { Worker } = require('node:worker_threads')
        for (let i = 0; i < 2; i++) {
          const worker = new Worker(${JSON.stringify(inWorker)}, { eval: true, workerData: [python, path, '${isolation}'] })
          worker.on('error', (error) => { throw error })
          await new Promise((done) => worker.on('message', (message) => {
            console.log(JSON.stringify(message))
            if (message === 'waiting') done()
          }))
          await worker.terminate()
        }`)
      assert.deepEqual(ended, { status: 0, signal: null, stdout: '[5]\n"waiting"\n'.repeat(2), stderr: '' })
    })
  }
})

describe('options for callbacks', () => {
  it('are checked', async () => {
    await assert.rejects(openPool({ callbacks: { x: 1 } as never }), { code: 'ERR_OPTION', message: /'callbacks'/ })
    await using pool = await openPool()
    assert.throws(() => pool.expose('', () => 1), { code: 'ERR_OPTION' })
    assert.throws(() => pool.expose('x', 'y' as never), { code: 'ERR_OPTION' })
    assert.equal(new CallbackError('x').code, 'ERR_CALLBACK')
  })
})
