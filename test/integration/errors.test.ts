import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { PythonError, PythonInterruptedError, ResultError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

const RAISED = 'ERR_PYTHON_EXCEPTION'

inEachMode('an exception of a handler', (test) => {
  const failing = (name: string, batch: unknown[] = ['a', 'b']) =>
    failsWith(test.pool.handler(`failing:${name}`).call(batch), PythonError, RAISED)

  it('becomes an error with its type, message, traceback and place', async () => {
    const error = await failing('plain')
    assert.equal(error.constructor, PythonError)
    assert.equal(error.name, 'PythonError')
    assert.equal(error.pythonType, 'ValueError')
    assert.equal(error.pythonMessage, 'the value is wrong')
    assert.equal(error.message, 'failing:plain (batch of 2): ValueError: the value is wrong')
    assert.equal(error.handler, 'failing:plain')
    assert.equal(error.batchSize, 2)
    assert.equal(error.itemIndex, undefined)
    assert.equal(error.cause, undefined)
    assert.deepEqual(error.notes, [])
    assert.match(
      error.pythonTraceback,
      /^Traceback \(most recent call last\):\n {2}File ".*failing\.py", line \d+, in plain\n {4}raise ValueError\("the value is wrong"\)\n(?: +[~^]+\n)?ValueError: the value is wrong\n$/,
    )
  })

  it('shows every frame of the handler, and none of ours', async () => {
    const error = await failing('deep', [1, 2])
    assert.equal(error.pythonType, 'ZeroDivisionError')
    assert.match(error.pythonTraceback, /in deep\n[\s\S]*in inner\n {4}return item \/ 0\n/)
    assert.doesNotMatch(error.pythonTraceback, /_host|_call\.py|_results/)
  })

  it('leaves the interpreter as it was', async () => {
    for (let i = 0; i < 10; i++) await failing('plain')
    assert.deepEqual(await test.pool.handler('seen').call([1]), [1])
  })

  it('concerns its own call alone', async () => {
    const [bad, good] = [test.pool.handler('failing:plain'), test.pool.handler('seen')]
    const calls = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? bad : good).call([i]))
    const settled = await Promise.allSettled(calls)
    for (const [i, { status }] of settled.entries()) assert.equal(status, i % 3 === 0 ? 'rejected' : 'fulfilled')
  })
})

withPool('exceptions', (test) => {
  const call = (name: string, batch: unknown[] = ['a', 'b']) => test.pool.handler(`failing:${name}`).call(batch)
  const failing = (name: string, batch?: unknown[]) => failsWith(call(name, batch), PythonError, RAISED)

  const types: [name: string, type: string, message: string][] = [
    ['custom', 'failing.Custom', 'with more arguments'],
    ['nested_class', 'failing.Outer.Inner', 'inside'],
    ['empty', 'KeyError', ''],
    ['unprintable', 'failing.Unprintable', '<no text: its __str__ raised RuntimeError>'],
    ['frozen', 'failing.Frozen', 'cannot be marked'],
    ['recursion', 'RecursionError', 'maximum recursion depth exceeded'],
    ['memory', 'MemoryError', 'Python could not get the memory it asked for'],
    ['keyboard', 'KeyboardInterrupt', 'pressed by nobody'],
    ['generator_exit', 'GeneratorExit', ''],
    ['stop_iteration', 'StopIteration', 'not an end'],
    ['assertion', 'AssertionError', 'the batch is not empty'],
    ['coroutine', 'ValueError', 'in a coroutine'],
    ['warn_and_fail', 'DeprecationWarning', 'as an error'],
  ]
  for (const [name, type, message] of types) {
    it(`are told apart: ${name}`, async () => {
      const error = await failing(name)
      assert.equal(error.pythonType, type)
      assert.ok(error.pythonMessage.startsWith(message), error.pythonMessage)
      if (message === '') assert.equal(error.message, `failing:${name} (batch of 2): ${type}`)
      assert.ok(error.pythonTraceback.includes(type), error.pythonTraceback)
    })
  }

  it('are never an exit', async () => {
    for (const [name, status] of [
      ['exit_number', '3'],
      ['exit_text', "'good bye'"],
      ['exit_nothing', ''],
      ['async_exit', '1'],
    ] as const) {
      const error = await failing(name)
      assert.equal(error.pythonType, 'SystemExit')
      assert.ok(error.pythonMessage.startsWith(`sys.exit(${status}) was called`), error.pythonMessage)
    }
    assert.deepEqual(await test.pool.handler('seen').call([1]), [1])
  })

  it('bring the chain of their causes', async () => {
    const third = await failing('cause')
    const second = third.cause as PythonError
    const first = second.cause as PythonError
    assert.deepEqual(
      [third, second, first].map(({ pythonType, pythonMessage }) => [pythonType, pythonMessage]),
      [
        ['RuntimeError', 'third'],
        ['KeyError', "'second'"],
        ['ValueError', "invalid literal for int() with base 10: 'x'"],
      ],
    )
    assert.ok(second instanceof PythonError && first instanceof PythonError)
    assert.equal(first.cause, undefined)
    assert.match(third.pythonTraceback, /int\("x"\)[\s\S]*direct cause[\s\S]*second[\s\S]*direct cause[\s\S]*third/)
    assert.match(first.pythonTraceback, /int\("x"\)/)
    assert.equal(Object.keys(third).includes('cause'), false, 'as with every other error')
  })

  it('have what they were raised in for a cause, unless that is suppressed', async () => {
    assert.equal((await failing('context')).cause, undefined)
    const implicit = await failing('implicit')
    assert.equal(implicit.pythonType, 'NameError')
    assert.equal((implicit.cause as PythonError).pythonType, 'ValueError')
    assert.match(implicit.pythonTraceback, /During handling of the above exception/)
  })

  it('end where their chain goes round, or on for too long', async () => {
    const error = await failing('circular')
    assert.equal((error.cause as PythonError).pythonMessage, 'two')
    assert.equal((error.cause as PythonError).cause, undefined)
    let length = 0
    for (let at: PythonError | undefined = await failing('long_chain'); at; at = at.cause as PythonError) length++
    assert.ok(length >= 5 && length < 30, `${length}`)
  })

  it('bring their notes', async () => {
    assert.deepEqual((await failing('notes')).notes, ['the first note', 'the second\nnote'])
  })

  it('may be groups, where Python has them', async () => {
    const [has] = await test.pool
      .handler('lambda batch: ["ExceptionGroup" in dir(__builtins__) or "ExceptionGroup" in __builtins__]')
      .call([0])
    const error = await failing('group')
    assert.equal(error.pythonType, has ? 'ExceptionGroup' : 'NameError')
    if (has) assert.match(error.pythonTraceback, /ValueError: one[\s\S]*TypeError: two/)
  })

  it('are shortened where they are beyond all measure', async () => {
    const huge = await failing('huge')
    assert.ok(huge.pythonMessage.length >= 1000 && huge.pythonMessage.length <= 1 << 17)
    const long = await failing('long_traceback')
    assert.ok(long.pythonTraceback.length <= 1 << 17)
    assert.match(long.pythonTraceback, /characters left out/)
    assert.match(long.pythonTraceback, /^Traceback/)
    const recursion = await failing('recursion')
    assert.match(recursion.pythonTraceback, /Previous line repeated \d+ more times/)
  })

  it('may say anything', async () => {
    assert.equal((await failing('unicode_message')).pythonMessage, 'é€😀 \ud800 \0 \n end')
  })

  it('know the item where a generator was working on one', async () => {
    for (const name of ['generator', 'async_generator']) {
      const error = await failing(name, ['a', 'b', 'bad', 'd'])
      assert.equal(error.itemIndex, 2, name)
      assert.equal(error.batchSize, 4)
      assert.equal(error.message, `failing:${name} (item 2, batch of 4): ValueError: bad item`)
    }
    assert.equal((await failing('expression', ['a', 5])).itemIndex, 1)
    assert.equal((await failing('generator', ['bad'])).itemIndex, 0)
  })

  it('of our own that a handler raises keep their codes', async () => {
    const interrupted = await failsWith(call('interrupted'), PythonInterruptedError, 'ERR_INTERRUPTED')
    assert.equal(interrupted.pythonMessage, 'by the handler itself')
    const result = await failsWith(call('own_result_error'), ResultError, 'ERR_RESULT_ENCODE')
    assert.equal(result.pythonMessage, 'the handler knows better')
  })

  it('show the Python traceback when they are printed', async () => {
    const error = await failing('plain')
    const shown = inspect(error)
    assert.match(shown, /^PythonError \[ERR_PYTHON_EXCEPTION\]: failing:plain \(batch of 2\): ValueError/)
    assert.match(shown, /handler: 'failing:plain', batchSize: 2/)
    assert.match(shown, /raise ValueError\("the value is wrong"\)/)
    assert.match(String(error), /raise ValueError\("the value is wrong"\)/)
  })

  it('of inline source show its lines', async () => {
    const handler = test.pool.handler(`
      def handle(batch):
          limit = 5
          return [check(item, limit) for item in batch]

      def check(item, limit):
          raise OverflowError(f"{item} is above {limit}")
    `)
    const error = await failsWith(handler.call([9]), PythonError, RAISED)
    assert.match(error.pythonTraceback, /File "<handler inline-\d+>", line \d+, in handle\n {4}return \[check/)
    assert.match(error.pythonTraceback, /in check\n {4}raise OverflowError/)
    assert.equal(error.handler, '<inline>')
  })

  it('of a closed handler still show its lines', async () => {
    const handler = test.pool.handler(
      'def handle(batch):\n    import time; time.sleep(0.05)\n    raise ValueError("late")',
    )
    const failed = failsWith(handler.call([1]), PythonError, RAISED)
    await handler.close()
    assert.match((await failed).pythonTraceback, /raise ValueError\("late"\)/)
  })

  it('are never unhandled where somebody handles them', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    try {
      const [bad, missing] = [test.pool.handler('failing:plain'), test.pool.handler('no_such_module')]
      await Promise.allSettled([bad.call([1]), bad.call([1]), missing.call([1]), missing.call([1])])
      await bad.call([1]).catch(() => {})
      await bad.call([1], { timeout: 1 }).catch(() => {})
      await bad.call([1], { signal: AbortSignal.abort() }).catch(() => {})
      await missing.close()
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      process.off('unhandledRejection', listen)
    }
    assert.deepEqual(unhandled, [])
  })
})

withPool('a result that is no list of results', (test) => {
  const returning = (name: string, codec?: 'string' | 'json' | 'buffer') =>
    test.pool.handler<unknown, unknown>('failing:result', { codec }).call([name, 'b'])

  const types: [name: string, message: RegExp][] = [
    ['none', /returned None for a batch of 2 items; .*is a `return` missing\?/],
    ['str', /returned a str .*one for the whole batch/],
    ['bytes', /returned a bytes/],
    ['number', /returned an int .*a handler gets a whole batch/],
    ['dict', /returned a dict .*does not say which item/],
    ['set', /returned a set .*has no order/],
    ['class', /returned a type/],
    ['object', /returned an object/],
  ]
  for (const [name, message] of types) {
    it(`is refused: ${name}`, async () => {
      for (const codec of ['json', 'string'] as const) {
        const error = await failsWith(returning(name, codec), ResultError, 'ERR_RESULT_TYPE')
        assert.equal(error.pythonType, 'rxjs_python.ResultTypeError')
        assert.match(error.message, message)
        assert.equal(error.handler, 'failing:result')
        assert.equal(error.batchSize, 2)
      }
    })
  }

  const lengths: [name: string, message: RegExp][] = [
    ['few', /returned 1 result for a batch of 2 \(the result is a list\)/],
    ['many', /returned 5 results for a batch of 2/],
    ['empty', /returned 0 results for a batch of 2/],
    ['few of a tuple', /returned 1 result for a batch of 2 \(the result is a tuple\)/],
    ['range', /returned 9 results for a batch of 2 \(the result is a range\)/],
  ]
  for (const [name, message] of lengths) {
    it(`is refused for its length: ${name}`, async () => {
      const error = await failsWith(returning(name), ResultError, 'ERR_RESULT_LENGTH')
      assert.equal(error.pythonType, 'rxjs_python.ResultLengthError')
      assert.match(error.message, message)
    })
  }

  it('is taken where it has one result for each item after all', async () => {
    assert.deepEqual(await returning('tuple'), [1, 2])
  })

  it('is refused in modes, too', async () => {
    const made = (source: string) => test.pool.handler<unknown, unknown>(source)
    const filter = made('lambda batch: [True]').variant('filter').call([1, 2])
    await failsWith(filter, ResultError, 'ERR_RESULT_LENGTH')
    await failsWith(made('lambda batch: None').variant('filter').call([1]), ResultError, 'ERR_RESULT_TYPE')
    const flat = made('lambda batch: [[1], "text"]').variant('flatMap').call([1, 2])
    assert.equal((await failsWith(flat, ResultError, 'ERR_RESULT_TYPE')).itemIndex, 1)
    await failsWith(made('lambda batch: [[1]]').variant('flatMap').call([1, 2]), ResultError, 'ERR_RESULT_LENGTH')
    const scan = made('lambda state, item: (state or 0) + 1 / item').variant('scan')
    assert.deepEqual(await scan.call([1, 2]), [1, 1.5])
    assert.equal((await failsWith(scan.call([1, 0]), PythonError, RAISED)).itemIndex, 1)
    assert.deepEqual(await scan.call([1]), [2.5], 'the state is what it was before the batch that failed')
    await scan.close()
  })
})
