import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { OptionError } from '../../lib/errors'
import { StageMetrics } from '../../lib/metrics'
import { filterPython } from '../../lib/operators/filterPython'
import { mapPython } from '../../lib/operators/mapPython'
import { validateOperator } from '../../lib/operators/options'
import { scanPython } from '../../lib/operators/scanPython'
import { validateCallOptions, validateHandler, validatePoolOptions } from '../../lib/options'
import { FakeHandler, FakePool } from './fakeHandler'

// biome-ignore lint/suspicious/noExplicitAny: what a JavaScript user may pass
type Anything = any

function problems(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error))
    assert.equal(error.code, 'ERR_OPTION')
    return error.problems
  }
  return assert.fail('no error')
}

describe('pool options', () => {
  it('have defaults', () => {
    assert.deepEqual(validatePoolOptions(), {
      python: undefined,
      path: [],
      requirements: undefined,
      size: { min: 1, max: 1 },
      idleAfter: 10_000,
      recycleAfter: undefined,
      isolation: 'auto',
      onCrash: 'fail',
      grace: 2000,
      env: {},
      callbacks: {},
      debug: undefined,
      name: 'python',
      onProgress: undefined,
    })
  })

  it('are taken as they are given', () => {
    const onProgress = () => {}
    const given = {
      python: 'bin/python',
      path: 'a',
      requirements: 'r.txt',
      size: 3,
      idleAfter: 5,
      recycleAfter: { batches: 7, memory: 1e9 },
      isolation: 'process',
      onCrash: 'retry',
      grace: 100,
      env: { A: 'b', C: undefined },
      callbacks: { f: () => 1 },
      debug: { port: 5678, wait: false },
      name: 'p',
    } as const
    assert.deepEqual(validatePoolOptions({ ...given, onProgress }), {
      ...given,
      path: ['a'],
      size: { min: 3, max: 3 },
      onProgress,
    })
    assert.deepEqual(validatePoolOptions({ size: { min: 2, max: 4 } }).size, { min: 2, max: 4 })
    assert.deepEqual(validatePoolOptions({ size: { max: 4 } }).size, { min: 1, max: 4 })
    assert.deepEqual(validatePoolOptions({ size: undefined, path: undefined }), validatePoolOptions())
  })

  it('do not change when the list of folders does', () => {
    const path = ['a']
    const complete = validatePoolOptions({ path })
    path.push('b')
    assert.deepEqual(complete.path, ['a'])
  })

  const wrong: [string, Anything, RegExp][] = [
    ['no object', 'python3', /options must be an object; got 'python3'/],
    ['a list', [], /must be an object/],
    ['null', null, /must be an object/],
    ['python empty', { python: ' ' }, /'python' must be a text that is not empty; got ' '/],
    ['python with NUL', { python: 'a\0b' }, /'python' must be/],
    ['path of numbers', { path: [1] }, /'path' must be a folder or a list of folders/],
    ['path null', { path: null }, /'path' must be a folder/],
    ['requirements', { requirements: ['numpy'] }, /'requirements' must be a text/],
    ['size 0', { size: 0 }, /'size' must be a whole number from 1 to 256; got 0/],
    ['size 1.5', { size: 1.5 }, /'size' must be a whole number/],
    ['size NaN', { size: Number.NaN }, /'size' must be a whole number.*NaN/],
    ['size text', { size: '2' }, /'size' must be a whole number.*'2'/],
    ['size.max', { size: { max: -1 } }, /'size.max' must be/],
    ['size order', { size: { min: 3, max: 2 } }, /'size.min' \(3\) must not be above 'size.max' \(2\)/],
    ['idleAfter', { idleAfter: 0 }, /'idleAfter' must be a time in milliseconds above 0/],
    ['recycleAfter 0', { recycleAfter: 0 }, /'recycleAfter' must be a whole number from 1/],
    ['recycleAfter text', { recycleAfter: '100' }, /'recycleAfter' must be a whole number/],
    ['recycleAfter nothing', { recycleAfter: {} }, /'recycleAfter' must have 'batches' or 'memory'/],
    ['recycleAfter.batchs', { recycleAfter: { batchs: 1 } }, /did you mean 'recycleAfter.batches'/],
    ['recycleAfter.memory', { recycleAfter: { memory: -1 } }, /'recycleAfter.memory' must be a whole number/],
    ['recycling shared', { recycleAfter: 5, isolation: 'shared' }, /not for isolation 'shared'.*use 'process'/],
    ['memory of namespace', { recycleAfter: { memory: 5e8 }, isolation: 'namespace' }, /cannot be told from/],
    ['size.maximum', { size: { maximum: 2 } }, /'size.maximum' is not an option/],
    [
      'isolation',
      { isolation: 'thread' },
      /'isolation' must be one of 'auto', 'shared', 'namespace', 'process'; got 'thread'/,
    ],
    ['onProgress', { onProgress: true }, /'onProgress' must be a function/],
    ['misspelt', { pyhton: 'x' }, /'pyhton' is not an option here: did you mean 'python'\?/],
    ['debug', { debug: 'remote' }, /'debug' must be true, false, 'local' or an object; got 'remote'/],
    ['debug.port', { debug: { port: 65_536 } }, /'debug.port' must be a whole number/],
    ['debug.ports', { debug: { ports: 1 } }, /did you mean 'debug.port'/],
    ['unknown', { colour: 1 }, /'colour' is not an option here: known are python, path/],
  ]
  for (const [name, options, message] of wrong) {
    it(`wrong: ${name}`, () => {
      const found = problems(() => validatePoolOptions(options))
      assert.equal(found.length, 1)
      assert.match(found[0]!, message)
      assert.match(found[0]!, /^PythonPool\.open: /)
    })
  }

  it('report all problems at once', () => {
    const options = { python: '', path: 3, size: 0, isolation: 'x', threads: 1 } as Anything
    assert.equal(problems(() => validatePoolOptions(options)).length, 5)
    assert.throws(() => validatePoolOptions(options), /5 options are wrong/)
  })

  it('show no long values', () => {
    const [problem] = problems(() => validatePoolOptions({ isolation: 'x'.repeat(10_000) as Anything }))
    assert.ok(problem!.length < 300)
  })
})

describe('handler options', () => {
  it('have defaults', () => {
    assert.deepEqual(validateHandler('m:f'), {
      init: undefined,
      codec: 'json',
      schema: undefined,
      mode: 'map',
      asyncConcurrency: 128,
      seed: undefined,
      onCrash: undefined,
      debug: undefined,
    })
    assert.deepEqual(validateHandler('m:f', { debug: true }).debug, {})
    assert.deepEqual(validateHandler('m:f', { debug: 'local' }).debug, { local: true })
    assert.equal(validateHandler('m:f', { debug: false }).debug, false)
    assert.equal(validateHandler({ source: 'lambda b: b' }, { codec: 'string' }).codec, 'string')
  })

  const wrong: [string, Anything, Anything, RegExp][] = [
    ['no name', undefined, {}, /the handler must be a name such as/],
    ['empty name', '', {}, /the handler must be a name/],
    ['empty source', { source: '' }, {}, /the handler must be/],
    ['function no text', { source: 'x', function: 1 }, {}, /the handler must be/],
    ['init', 'm:f', { init: 7 }, /'init' must be a name/],
    ['codec', 'm:f', { codec: 'pickle' }, /'codec' must be one of 'string', 'json', 'buffer', 'array'/],
    ['mode', 'm:f', { mode: 'reduce' }, /'mode' must be one of/],
    ['columns and scan', 'm:f', { codec: 'columns', mode: 'scan' }, /codec 'columns' is not for mode 'scan'/],
    ['schema alone', 'm:f', { schema: { a: 'int32' } }, /'schema' is for codec 'columns' alone/],
    ['schema', 'm:f', { codec: 'columns', schema: ['a'] }, /'schema' must be an object of types/],
    ['a type', 'm:f', { codec: 'columns', schema: { a: 'int64' } }, /'schema.a' must be one of 'float64', 'float32'/],
    ['array and filter', 'm:f', { codec: 'array', mode: 'filter' }, /codec 'array' is not for mode 'filter'/],
    ['batch', 'm:f', { batch: 3 }, /'batch' is not an option here/],
  ]
  for (const [name, spec, options, message] of wrong) {
    it(`wrong: ${name}`, () => assert.match(problems(() => validateHandler(spec, options)).join(), message))
  }
})

describe('call options', () => {
  it('are handed back as they are, or the same empty ones', () => {
    const options = { timeout: 0.5, runTimeout: 7, signal: new AbortController().signal, transfer: true, key: 'a' }
    assert.equal(validateCallOptions(options), options)
    assert.equal(validateCallOptions(), validateCallOptions(undefined))
    assert.deepEqual(validateCallOptions({ timeout: undefined }), { timeout: undefined })
  })

  for (const options of [
    { timeout: 0 },
    { runTimeout: 0 },
    { runTimeout: '5' },
    { timeout: -1 },
    { timeout: Infinity },
    { timeout: Number.NaN },
    { timeout: 2 ** 31 },
    { timeout: '5' },
    { signal: {} },
    { signal: null },
    { transfer: 1 },
    { key: {} },
    { key: Number.NaN },
    { key: null },
    { abort: true },
    7,
    null,
  ] as Anything[]) {
    it(`wrong: ${JSON.stringify(options)}`, () => {
      assert.equal(problems(() => validateCallOptions(options)).length, 1)
    })
  }

  it('may have a signal of another kind than the platform’s', () => {
    const signal = Object.assign(new EventTarget(), { aborted: false }) as unknown as AbortSignal
    assert.equal(validateCallOptions({ signal }).signal, signal)
  })
})

describe('operator options', () => {
  const handler = new FakeHandler().typed<string, string>()
  const array = new FakeHandler({ codec: 'array' }).typed<Float64Array, Float64Array>()
  const pool = new FakePool().typed

  it('have defaults', () => {
    const { limits, metrics, ...rest } = validateOperator('mapPython', 'map', handler)
    assert.deepEqual(limits, { maxItems: 1024, maxBytes: 4 << 20, maxWait: 0 })
    assert.ok(metrics instanceof StageMetrics)
    assert.deepEqual(rest, {
      measured: true,
      concurrency: undefined,
      ordered: true,
      bufferSize: 1 << 20,
      overflow: 'error',
      onError: 'error',
      isolateErrors: false,
      timeout: undefined,
      transfer: undefined,
      key: undefined,
      keyOf: undefined,
      signal: undefined,
      onMetrics: undefined,
      pool: undefined,
      handler: {},
      seed: undefined,
      tuning: undefined,
    })
  })

  it('take batch in all its forms', () => {
    const limits = (batch: Anything, more = {}) => validateOperator('m', 'map', handler, { batch, ...more }).limits
    assert.equal(limits(16).maxItems, 16)
    assert.equal(limits('auto').maxItems, 1024)
    assert.deepEqual(limits({ maxItems: 2, maxBytes: 3, maxWait: 0.5 }), { maxItems: 2, maxBytes: 3, maxWait: 0.5 })
    assert.equal(limits(16, { bufferSize: 10 }).maxItems, 10, 'a batch above the buffer would never be full')
    assert.equal(validateOperator('m', 'map', array, { batch: 'auto' }).limits.maxItems, 1)
  })

  it("tune batches with 'auto', and only then", () => {
    const tuning = (batch: Anything, more = {}) => validateOperator('m', 'map', handler, { batch, ...more }).tuning
    assert.equal(tuning(undefined), undefined)
    assert.equal(tuning(16), undefined)
    assert.deepEqual(tuning('auto'), { maxItems: 16384, maxLatency: undefined })
    assert.deepEqual(tuning('auto', { maxLatency: 20, bufferSize: 10 }), { maxItems: 10, maxLatency: 20 })
    assert.equal(validateOperator('m', 'map', array, { batch: 'auto' }).tuning, undefined)
  })

  const wrong: [string, () => unknown, RegExp][] = [
    ['no handler', () => mapPython(undefined as Anything), /the handler must be a Handler, a name/],
    ['a function', () => mapPython((() => {}) as Anything), /the handler must be a Handler/],
    ['options no object', () => mapPython(handler, 5 as Anything), /options must be an object/],
    ['batch 0', () => mapPython(handler, { batch: 0 }), /'batch' must be a whole number from 1 to 1048576; got 0/],
    [
      'batch text',
      () => mapPython(handler, { batch: '5' as Anything }),
      /'batch' must be a number of items, 'auto' or/,
    ],
    ['maxLatency', () => mapPython(handler, { batch: 'auto', maxLatency: 0 }), /'maxLatency' must be a time.*above 0/],
    ['maxLatency alone', () => mapPython(handler, { maxLatency: 20 }), /'maxLatency' goes with batch: 'auto'/],
    [
      'maxLatency of arrays',
      () => mapPython(array, { batch: 'auto', maxLatency: 20 }),
      /'maxLatency' is not for codec/,
    ],
    ['batch null', () => mapPython(handler, { batch: null as Anything }), /'batch' must be a number/],
    ['maxItems', () => mapPython(handler, { batch: { maxItems: 2.5 } }), /'batch\.maxItems'/],
    ['maxWait', () => mapPython(handler, { batch: { maxWait: -1 } }), /'batch\.maxWait' must be a time.*from 0/],
    ['maxWait for ever', () => mapPython(handler, { batch: { maxWait: Infinity } }), /'batch\.maxWait'/],
    [
      'maxItem',
      () => mapPython(handler, { batch: { maxItem: 1 } as Anything }),
      /'batch\.maxItem'.*did you mean 'batch\.maxItems'/,
    ],
    [
      'concurrency',
      () => mapPython(handler, { concurrency: 0 }),
      /'concurrency' must be a whole number from 1 to 1024/,
    ],
    ['ordered', () => mapPython(handler, { ordered: 'yes' as Anything }), /'ordered' must be true or false/],
    ['bufferSize', () => mapPython(handler, { bufferSize: 0 }), /'bufferSize'/],
    [
      'overflow',
      () => mapPython(handler, { overflow: 'drop' as Anything }),
      /'overflow' must be one of 'error', 'drop-/,
    ],
    ['onError', () => mapPython(handler, { onError: 'ignore' as Anything }), /'onError' must be 'error', 'skip'/],
    ['deadLetter', () => mapPython(handler, { onError: { deadLetter: {} } as Anything }), /'onError' must be/],
    ['timeout', () => mapPython(handler, { timeout: 0 }), /'timeout' must be a time in milliseconds above 0/],
    ['signal', () => mapPython(handler, { signal: 1 as Anything }), /'signal' must be an AbortSignal/],
    ['metrics', () => mapPython(handler, { metrics: 1 as Anything }), /'metrics' must be/],
    ['pool with a Handler', () => mapPython(handler, { pool } as Anything), /'pool'.*the Handler has its pool already/],
    [
      'codec with a Handler',
      () => mapPython(handler, { codec: 'json' } as Anything),
      /'codec'.*where the Handler is made/,
    ],
    ['pool no pool', () => mapPython('m:f', { pool: {} as Anything }), /'pool' must be a PythonPool/],
    ['pool null', () => mapPython('m:f', { pool: null as Anything }), /'pool' must be a PythonPool/],
    ['codec', () => mapPython('m:f', { codec: 'xml' as Anything }), /'codec' must be one of/],
    [
      'schema with a Handler',
      () => mapPython(handler, { schema: {} } as Anything),
      /'schema'.*where the Handler is made/,
    ],
    ['columns with scan', () => scanPython('m:f', { codec: 'columns' }), /codec 'columns' is not for scanPython/],
    ['seed for map', () => mapPython('m:f', { seed: 1 } as Anything), /'seed' is not an option here/],
    ['array with batch', () => mapPython(array, { batch: 4 }), /'batch' is not for codec 'array'/],
    ['array filter', () => filterPython(array), /codec 'array' is for mapPython alone/],
    ['array isolate', () => mapPython(array, { isolateErrors: true }), /'isolateErrors' is not for codec 'array'/],
    ['scan isolate', () => scanPython('m:f', { isolateErrors: true }), /'isolateErrors' is not for scanPython/],
    ['key', () => mapPython(handler, { key: {} as Anything }), /'key' must be a text or a finite number/],
    ['key for scan', () => scanPython('m:f', { key: 'a' }), /'key' is not for scanPython/],
    ['scan unordered', () => scanPython('m:f', { ordered: false }), /'ordered' cannot be false/],
  ]
  for (const [name, run, message] of wrong) {
    it(`wrong: ${name}`, () => {
      const found = problems(run)
      assert.equal(found.length, 1, found.join('\n'))
      assert.match(found[0]!, message)
    })
  }

  it('report all problems at once, and the operator', () => {
    const found = problems(() => scanPython('m:f', { batch: 0, ordered: false, timeout: -1, sede: 1 } as Anything))
    assert.equal(found.length, 4)
    for (const problem of found) assert.match(problem, /^scanPython: /)
  })
})
