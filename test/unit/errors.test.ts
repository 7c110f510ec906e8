import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import * as errors from '../../lib/errors'

function report(changes: Partial<errors.ErrorReport> = {}): errors.ErrorReport {
  return {
    code: 'ERR_PYTHON_EXCEPTION',
    type: 'ValueError',
    message: 'age is negative',
    traceback:
      'Traceback (most recent call last):\n  File "salary.py", line 7, in handle\nValueError: age is negative\n',
    notes: [],
    cause: null,
    item: null,
    ...changes,
  }
}

describe('errors', () => {
  it('of Python carry type, message, traceback, notes and place', () => {
    const error = errors.PythonError.fromReport(report({ item: 3, notes: ['while scoring'] }), {
      handler: 'salary:handle',
      batchSize: 16,
    })
    assert.ok(error instanceof errors.RxjsPythonError && error instanceof Error)
    assert.equal(error.name, 'PythonError')
    assert.equal(error.code, 'ERR_PYTHON_EXCEPTION')
    assert.equal(error.message, 'salary:handle (item 3, batch of 16): ValueError: age is negative')
    assert.equal(error.pythonType, 'ValueError')
    assert.equal(error.pythonMessage, 'age is negative')
    assert.match(error.pythonTraceback, /salary\.py", line 7/)
    assert.deepEqual(error.notes, ['while scoring'])
    assert.deepEqual([error.handler, error.batchSize, error.itemIndex], ['salary:handle', 16, 3])
  })

  it('of Python without a place have a message and no invented properties', () => {
    const error = errors.PythonError.fromReport(report({ message: '' }))
    assert.equal(error.message, 'ValueError')
    for (const name of ['handler', 'batchSize', 'itemIndex', 'cause']) assert.ok(!(name in error), name)
  })

  it('keep the chain of causes as errors', () => {
    const inner = report({ type: 'KeyError', message: "'age'", cause: report({ type: 'OSError' }) })
    const error = errors.PythonError.fromReport(report({ cause: inner }))
    assert.ok(error.cause instanceof errors.PythonError)
    assert.equal(error.cause.pythonType, 'KeyError')
    assert.ok(error.cause.cause instanceof errors.PythonError)
    assert.equal(error.cause.cause.pythonType, 'OSError')
    assert.ok(!('cause' in error.cause.cause))
    assert.ok(!Object.keys(error).includes('cause'), 'like the cause of a built-in error, it is not enumerable')
  })

  const classes: [string, new (...args: never[]) => Error, string][] = [
    ['ERR_HANDLER_NOT_FOUND', errors.HandlerError, 'HandlerError'],
    ['ERR_HANDLER_SYNTAX', errors.HandlerError, 'HandlerError'],
    ['ERR_HANDLER_INIT', errors.HandlerError, 'HandlerError'],
    ['ERR_RESULT_LENGTH', errors.ResultError, 'ResultError'],
    ['ERR_RESULT_TYPE', errors.ResultError, 'ResultError'],
    ['ERR_RESULT_ENCODE', errors.ResultError, 'ResultError'],
    ['ERR_INTERRUPTED', errors.PythonInterruptedError, 'PythonInterruptedError'],
    ['ERR_SOMETHING_NEW', errors.PythonError, 'PythonError'],
  ]
  for (const [code, Class, name] of classes) {
    it(`make a ${name} of a report with ${code}`, () => {
      const error = errors.PythonError.fromReport(report({ code }))
      assert.equal(Object.getPrototypeOf(error), Class.prototype)
      assert.equal(error.code, code)
      assert.equal(error.name, name)
    })
  }

  it('show the Python traceback to util.inspect and String', () => {
    const error = errors.PythonError.fromReport(report(), { handler: 'salary:handle' })
    for (const text of [inspect(error), String(error)]) {
      assert.match(text, /PythonError.*salary:handle: ValueError: age is negative/)
      assert.match(text, /^ {4}File "salary\.py", line 7, in handle$/m)
    }
    assert.match(inspect(error), /\[ERR_PYTHON_EXCEPTION\]/)
    assert.match(inspect(error), /at .*errors\.test\.ts/, 'the JavaScript stack is not lost')
    assert.match(inspect({ error }), /salary\.py/, 'inside of another object too')
  })

  it('of an abort carry the reason and the name that the platform uses', () => {
    const reason = new Error('changed my mind')
    const error = new errors.PythonAbortError(reason)
    assert.deepEqual([error.name, error.code, error.cause], ['AbortError', 'ERR_ABORTED', reason])
  })

  it('of options report every problem', () => {
    const one = new errors.OptionError(['size must be at least 1'])
    assert.equal(one.message, 'size must be at least 1')
    const two = new errors.OptionError(['size must be at least 1', 'timeout must be positive'])
    assert.match(two.message, /2 options are wrong:\n {2}- size.*\n {2}- timeout/)
    assert.equal(two.problems.length, 2)
  })

  it('of a value that cannot be sent say which item and where in it', () => {
    const error = new errors.EncodeError('a function has no JSON form', { itemIndex: 4, path: '.tags[0]' })
    assert.equal(error.message, 'item 4.tags[0]: a function has no JSON form')
    assert.deepEqual([error.itemIndex, error.path, error.code], [4, '.tags[0]', 'ERR_ITEM_ENCODE'])
  })

  it('of a time limit name the handler and the limit', () => {
    assert.equal(
      new errors.PythonTimeoutError(500, 'salary:handle').message,
      'salary:handle: the call took longer than 500 ms',
    )
    assert.equal(new errors.PythonTimeoutError(500).message, 'the call took longer than 500 ms')
  })

  it('have a code each, and keep their cause', () => {
    const cause = new Error('why')
    const made: [errors.RxjsPythonError, string][] = [
      [new errors.PoolClosedError(undefined, { cause }), 'ERR_POOL_CLOSED'],
      [new errors.PythonNotFoundError('no Python', [], { cause }), 'ERR_PYTHON_NOT_FOUND'],
      [new errors.PythonUnusableError('ERR_PYTHON_TOO_OLD', 'py', 'old', { cause }), 'ERR_PYTHON_TOO_OLD'],
      [new errors.PythonStartError('ERR_NAMESPACE', 'no more', { cause }), 'ERR_NAMESPACE'],
      [new errors.RequirementsError('failed', 'tail', { cause }), 'ERR_REQUIREMENTS'],
      [new errors.NativeLoadError('not there', { cause }), 'ERR_NATIVE_LOAD'],
    ]
    for (const [error, code] of made) {
      assert.equal(error.code, code)
      assert.equal(error.cause, cause)
      assert.equal(error.name, error.constructor.name)
    }
    assert.equal(new errors.OverflowError('full').code, 'ERR_OVERFLOW')
  })
})
