import assert from 'node:assert/strict'
import { HandlerError, OptionError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { inEachMode, openPool, withPool } from '../fixtures/modes'

type State = [loaded: string, count: number, other: number]

/** What every interpreter of the pool says; sends so many slow calls that each of them gets one. */
async function everyInterpreter(size: number, call: () => Promise<unknown[]>): Promise<unknown[]> {
  return (await Promise.all(Array.from({ length: size * 4 }, call))).flat()
}

inEachMode('init', (test) => {
  it('runs once in each interpreter, before the first batch', async () => {
    const handler = test.pool.handler<number, State>('setup:handle', { init: 'setup:load' })
    const states = await everyInterpreter(test.mode.size, () => handler.call([0]))
    assert.deepEqual(new Set(states.map(String)), new Set(['set up,1,0']))
  })

  it('does not run again for another handler with the same one, nor for a second mode', async () => {
    const again = test.pool.handler<number, State>('setup:handle', { init: 'setup:load' })
    const states = await everyInterpreter(test.mode.size, () => again.call([0]))
    assert.deepEqual(new Set(states.map(String)), new Set(['set up,1,0']))
    const variant = again.variant<State>('flatMap')
    await variant.call([])
    const other = test.pool.handler<number, State>('setup:handle', { init: 'setup:load_other' })
    assert.deepEqual((await other.call([0]))[0], ['set up', 1, 1])
  })
})

describe('init in three interpreters', function () {
  this.timeout(60_000)
  for (const isolation of ['shared', 'namespace', 'process'] as const) {
    const times = isolation === 'shared' ? 'once' : 'in each'
    it(`happens ${times} with isolation '${isolation}'`, async () => {
      await using pool = await openPool({ isolation, size: 3 })
      const handler = pool.handler<number, [count: number, thread: number]>(
        `
        import setup, threading, time
        def handle(batch):
            time.sleep(0.02)
            return [[setup.count, threading.get_ident()] for _ in batch]
        `,
        { init: 'setup:load' },
      )
      const states = (await everyInterpreter(3, () => handler.call([0]))) as [number, number][]
      assert.deepEqual(new Set(states.map(([count]) => count)), new Set([1]))
      assert.equal(new Set(states.map(([, thread]) => thread)).size, 3, 'all three have run')
    })
  }
})

withPool('init, one interpreter', (test) => {
  const state = '__import__("setup").loaded'
  const later = (init: string | { source: string; function?: string }) =>
    test.pool.handler(`lambda batch: [${state} for _ in batch]`, { init }).call([0])

  it('may be async, a class, or inline source', async () => {
    assert.deepEqual(await later('setup:load_async'), ['set up, later'])
    assert.deepEqual(await later('setup:Loader'), ['set up by a class'])
    const inline = { source: 'import setup\ndef go():\n  setup.loaded = "set up inline"', function: 'go' }
    assert.deepEqual(await later(inline), ['set up inline'])
  })

  it('shares the module of a handler that has the same source', async () => {
    const source = `
      model = None
      def load():
          global model
          model = "loaded"
      def handle(batch):
          return [model for _ in batch]
    `
    const handler = test.pool.handler({ source, function: 'handle' }, { init: { source, function: 'load' } })
    assert.deepEqual(await handler.call([0]), ['loaded'])
    await handler.close()
    const bare = test.pool.handler({ source, function: 'handle' })
    assert.deepEqual(await bare.call([0]), [null], 'a closed handler leaves nothing behind')
  })

  const failing: [init: string, code: string, type: string, message: RegExp][] = [
    ['setup:fail', 'ERR_HANDLER_INIT', 'RuntimeError', /the model file is damaged/],
    ['setup:exit_early', 'ERR_HANDLER_INIT', 'SystemExit', /sys\.exit\(3\) was called/],
    ['setup:nothing', 'ERR_HANDLER_NOT_FOUND', 'rxjs_python.HandlerError', /no function 'nothing'/],
    ['no_such_setup', 'ERR_HANDLER_NOT_FOUND', 'rxjs_python.HandlerError', /no module 'no_such_setup'/],
    ['broken_syntax', 'ERR_HANDLER_SYNTAX', 'SyntaxError', /broken_syntax\.py/],
    ['shapes:function', 'ERR_HANDLER_INIT', 'TypeError', /missing 1 required positional argument/],
  ]
  for (const [init, code, type, message] of failing) {
    it(`fails every call where ${init} fails`, async () => {
      const handler = test.pool.handler('seen:handle', { init })
      const errors = await Promise.all([1, 2].map(() => failsWith(handler.call([1]), HandlerError, code)))
      for (const error of errors) {
        assert.equal(error.pythonType, type)
        assert.match(error.message, message)
      }
      assert.deepEqual(await test.pool.handler('seen:handle').call([1]), [1], 'another handler is not concerned')
    })
  }

  it('runs again for the next handler where it failed', async () => {
    const init = {
      source: `
        import setup
        def load():
            setup.calls += 1
            if setup.calls % 2 == 1:
                raise RuntimeError("not yet")
      `,
    }
    await test.pool.handler('lambda batch: [setattr(__import__("setup"), "calls", 0)]').call([0])
    await failsWith(test.pool.handler('seen', { init }).call([1]), HandlerError, 'ERR_HANDLER_INIT')
    assert.deepEqual(await test.pool.handler('seen', { init }).call([1]), [1])
  })

  it('must be a name or source', () => {
    for (const init of [5, {}, '', () => 1, ['setup:load']]) {
      assert.throws(() => test.pool.handler('seen', { init: init as never }), OptionError)
    }
  })
})
