import assert from 'node:assert/strict'
import fc from 'fast-check'
import { from, lastValueFrom, toArray } from 'rxjs'
import { EncodeError, PythonError, ResultError } from '../../lib/errors'
import { type ColumnsSchema, type ColumnType, filterPython, flatMapPython, mapPython } from '../../lib/index'
import { anyString } from '../fixtures/arbitraries'
import { failsWith } from '../fixtures/failures'
import { inEachMode, withPool } from '../fixtures/modes'

type Row = Record<string, unknown>

const VALUES: Readonly<Record<ColumnType, fc.Arbitrary<unknown>>> = {
  float64: fc.oneof(fc.double(), fc.constantFrom(-0, Number.NaN, 2 ** 53 + 2)),
  float32: fc.float(),
  int32: fc.integer(),
  boolean: fc.boolean(),
  string: anyString,
}

/** What fields are called; objects have something of some of these names already. */
const names = fc.oneof(anyString, fc.constantFrom('a', 'toString', '__proto__', 'constructor', '0', 'length', 'é'))

const schemas = fc
  .uniqueArray(fc.tuple(names, fc.constantFrom(...(Object.keys(VALUES) as ColumnType[]))), {
    maxLength: 6,
    selector: ([name]) => name,
  })
  .map((entries) => entries.sort(([a], [b]) => (a < b ? -1 : 1)))

/** A record with these fields, in any order; a field may be null or missing. */
const rowOf = (fields: [string, ColumnType][]) =>
  fc
    .tuple(fc.shuffledSubarray(fields, { minLength: 0 }), fc.nat(3))
    .chain(([some, nulls]) =>
      fc
        .tuple(...some.map(([, type]) => (nulls === 0 ? fc.option(VALUES[type]) : VALUES[type])))
        .map((values) => record(some.map(([name], i) => [name, values[i]]))),
    )

function record(entries: [string, unknown][]): Row {
  const row: Row = {}
  for (const [name, value] of entries) {
    Object.defineProperty(row, name, { value, writable: true, enumerable: true, configurable: true })
  }
  return row
}

/** The record as it comes back: each field of the batch, null where it had none. */
function whole(row: Row, fields: readonly string[]): Row {
  return record(fields.map((name) => [name, Object.hasOwn(row, name) ? row[name] : null]))
}

const ECHO = 'lambda batch: batch'
/** Like a handler that knows nothing of columns. */
const RECORDS = `
  def handle(batch):
      columns = {name: list(c) if hasattr(c, "codes") else c.tolist() for name, c in batch.items()}
      return [{name: column[i] for name, column in columns.items()} for i in range(batch.count)]
`
/** A new array of everything, and of texts Python's own. */
const REBUILT = `
  import numpy
  def handle(batch):
      return {name: list(c) if hasattr(c, "codes") else c.copy() for name, c in batch.items()}
`

inEachMode('codec columns', (test) => {
  const handler = (source: string, schema?: ColumnsSchema) =>
    test.pool.handler<Row, Row>(source, { codec: 'columns', ...(schema === undefined ? {} : { schema }) })

  it('brings records of every schema there and back', async () => {
    await fc.assert(
      fc.asyncProperty(
        schemas.chain((fields) =>
          fc.tuple(fc.constant(fields), fc.array(fc.array(rowOf(fields), { maxLength: 7 }), { maxLength: 3 })),
        ),
        fc.constantFrom(ECHO, RECORDS, REBUILT),
        async ([fields, batches], source) => {
          const schema = record(fields) as ColumnsSchema
          const handle = handler(source, schema)
          const expected = batches.map((batch) => batch.map((row) => whole(row, Object.keys(schema))))
          assert.deepEqual(await Promise.all(batches.map((batch) => handle.call(batch))), expected)
          await handle.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('finds out what columns there are, batch after batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        schemas.chain((fields) =>
          fc.array(fc.array(rowOf(fields), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        ),
        async (batches) => {
          const handle = handler(ECHO)
          const known = new Set<string>()
          for (const batch of batches) {
            for (const row of batch) for (const name of Object.keys(row)) known.add(name)
            const back = await handle.call(batch)
            for (const row of back) assert.deepEqual(new Set(Object.keys(row)), known)
            assert.deepEqual(
              back,
              batch.map((row) => whole(row, Object.keys(back[0]!))),
            )
          }
          await handle.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes large batches', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => ({
      id: i,
      half: i / 2,
      even: i % 2 === 0,
      name: `n${i % 100}`,
      maybe: i % 3 === 0 ? null : i,
    }))
    assert.deepEqual(await handler(ECHO).call(rows), rows)
  })

  it('runs in streams: map, filter and flatMap', async () => {
    const rows = Array.from({ length: 50 }, (_, x) => ({ x, text: x % 2 ? 'odd' : 'even' }))
    const options = { pool: test.pool, codec: 'columns', batch: 7 } as const
    const run = <T>(operator: (source: ReturnType<typeof from<typeof rows>>) => import('rxjs').Observable<T>) =>
      lastValueFrom(from(rows).pipe(operator as never, toArray()))
    const doubled = { source: 'def handle(b): return {"x": b["x"] * 2, "text": b["text"]}' }
    assert.deepEqual(
      await run(mapPython(doubled, options)),
      rows.map(({ x, text }) => ({ x: 2 * x, text })),
    )
    const odd = { source: 'def handle(b): return b["text"] == "odd"' }
    assert.deepEqual(
      await run(filterPython(odd, options)),
      rows.filter(({ text }) => text === 'odd'),
    )
    const twice = { source: 'def handle(b): return [[x, x] for x in b["x"].tolist()]' }
    assert.deepEqual(
      await run(flatMapPython(twice, options)),
      rows.flatMap(({ x }) => [x, x]),
    )
  })
})

withPool('codec columns', (test) => {
  const handler = (source: string, schema?: ColumnsSchema) =>
    test.pool.handler<unknown, unknown>(source, { codec: 'columns', ...(schema === undefined ? {} : { schema }) })
  const returning = (code: string) =>
    handler(`
      import numpy
      from rxjs_python import StringColumn
      def handle(b):
          return ${code}
    `)
  const input = [
    { n: 1, s: 'a' },
    { n: 2, s: null },
  ]

  it('gives Python an array of the type that it says', async () => {
    const types = handler(`
      import numpy
      def handle(b):
          told = lambda c: "codes" if hasattr(c, "codes") else ("masked " if isinstance(c, numpy.ma.MaskedArray) else "") + str(c.dtype)
          return [" ".join(f"{name}:{told(c)}" for name, c in b.items())] * b.count
    `)
    const seen = async (row: Row) => (await types.call([row]))[0]
    assert.equal(await seen({ n: 1, s: '', b: true }), 'n:int32 s:codes b:bool')
    assert.equal(await seen({ n: 2, s: null, b: null }), 'n:int32 s:codes b:masked bool')
    // Any number is one of float64, so that is what the column is from now on.
    assert.equal(await seen({ n: 0.5, s: '', b: true }), 'n:float64 s:codes b:bool')
    assert.equal(await seen({ n: 1, s: '', b: true, z: null }), 'n:float64 s:codes b:bool z:masked float64')
    assert.equal(await seen({ n: 1, s: '', b: true, z: 'text' }), 'n:float64 s:codes b:bool z:codes')
    const schema = { a: 'float32', b: 'int32', c: 'float64' } as const
    const fixed = handler('lambda b: [str([str(c.dtype) for c in b.values()])] * b.count', schema)
    assert.deepEqual(await fixed.call([{ c: 1, a: 2, b: 3 }]), ["['float32', 'int32', 'float64']"])
    assert.deepEqual(await handler('lambda b: b["a"]', schema).call([{ a: 0.1 }]), [Math.fround(0.1)])
  })

  const results: [code: string, expected: unknown[]][] = [
    ['b', input],
    ['{}', [{}, {}]],
    ['b["n"]', [1, 2]],
    ['b["n"] > 1', [false, true]],
    ['b["s"]', ['a', null]],
    ['b["s"] == "a"', [true, false]],
    ['b["s"] != "a"', [false, true]],
    ['b["s"] == "never seen"', [false, false]],
    ['b["s"][::-1]', [null, 'a']],
    ['numpy.asarray(b["s"])', ['a', null]],
    ['[b["s"][0], b["s"][-1]]', ['a', null]],
    ['b["n"].astype("f2")', [1, 2]],
    ['b["n"].astype(">i8")[::-1]', [2, 1]],
    ['numpy.array([2 ** 60, 5])', [2n ** 60n, 5]],
    ['numpy.array([2 ** 64 - 1, 5], dtype="u8")', [2n ** 64n - 1n, 5]],
    ['{"x": numpy.ma.array([1.5, 2.5], mask=[True, False])}', [{ x: null }, { x: 2.5 }]],
    ['{"x": numpy.ma.array(["p", "q"], mask=[True, False])}', [{ x: null }, { x: 'q' }]],
    [
      '{"x": [1, 2.5], "y": (None, True)}',
      [
        { x: 1, y: null },
        { x: 2.5, y: true },
      ],
    ],
    ['{"x": [2 ** 60, None]}', [{ x: 2n ** 60n }, { x: null }]],
    ['{"x": [None, None]}', [{ x: null }, { x: null }]],
    ['{"x": numpy.array(["é", "\\U0001f600"])}', [{ x: 'é' }, { x: '😀' }]],
    ['{"x": numpy.array(["p", None], dtype=object)}', [{ x: 'p' }, { x: null }]],
    ['{"x": StringColumn(numpy.array([1, -1]), ["p", "q"])}', [{ x: 'q' }, { x: null }]],
    ['[{"x": 1}, None]', [{ x: 1 }, null]],
    ['(x for x in "ab")', ['a', 'b']],
    [
      'numpy.zeros((2, 2))',
      [
        [0, 0],
        [0, 0],
      ],
    ],
  ]
  for (const [code, expected] of results) {
    it(`takes ${code}`, async () => assert.deepEqual(await returning(code).call(input), expected))
  }

  const refused: [code: string, errorCode: string, message: RegExp, item?: number][] = [
    ['{"x": [1.0]}', 'ERR_RESULT_LENGTH', /column 'x' has 1 value for a batch of 2 items/],
    ['b["n"][:1]', 'ERR_RESULT_LENGTH', /the result has 1 value/],
    ['[1]', 'ERR_RESULT_LENGTH', /1 result/],
    ['{"x": 5}', 'ERR_RESULT_ENCODE', /column 'x' is an int/],
    ['{5: b["n"]}', 'ERR_RESULT_ENCODE', /names of columns are str/],
    ['{"x": numpy.zeros((2, 2))}', 'ERR_RESULT_ENCODE', /column 'x' has 2 dimensions/],
    ['{"x": numpy.zeros(2, complex)}', 'ERR_RESULT_ENCODE', /column 'x' is of dtype complex128.*real/],
    ['{"x": numpy.zeros(2, "M8[s]")}', 'ERR_RESULT_ENCODE', /column 'x' is of dtype datetime64/],
    ['{"x": numpy.zeros(2, "S3")}', 'ERR_RESULT_ENCODE', /astype\('str'\)/],
    ['{"x": [1, "a"]}', 'ERR_RESULT_ENCODE', /item 1, column 'x': a str/, 1],
    ['{"x": ["a", 1]}', 'ERR_RESULT_ENCODE', /item 1, column 'x': an int in a column of str/, 1],
    ['{"x": [True, 1]}', 'ERR_RESULT_ENCODE', /item 1, column 'x': an int in a column of bool/, 1],
    ['{"x": [None, object()]}', 'ERR_RESULT_ENCODE', /item 1, column 'x': an object/, 1],
    ['{"x": [2 ** 70, 1]}', 'ERR_RESULT_ENCODE', /item 0, column 'x': .*too large/, 0],
    ['{"x": [0.5, 2 ** 60]}', 'ERR_RESULT_ENCODE', /item 1, column 'x': .*too large/, 1],
    ['{"x": StringColumn(numpy.array([0, 7]), ["p"])}', 'ERR_RESULT_ENCODE', /item 1, column 'x': code 7/, 1],
    ['{"x": StringColumn(numpy.array([0, 0]), [5])}', 'ERR_RESULT_ENCODE', /an int among its texts/],
    ['None', 'ERR_RESULT_TYPE', /returned None/],
  ]
  for (const [code, errorCode, message, item] of refused) {
    it(`refuses ${code}`, async () => {
      const error = await failsWith(returning(code).call(input), ResultError, errorCode)
      assert.match(error.message, message)
      assert.equal(error.itemIndex, item)
    })
  }

  const misfits: [schema: ColumnsSchema | undefined, batch: unknown[], message: RegExp, item: number, path: string][] =
    [
      [undefined, [{ a: 1 }, 5], /carries records, got a number/, 1, ''],
      [undefined, [null], /carries records, got null/, 0, ''],
      [undefined, [[1]], /carries records, got an array/, 0, ''],
      [undefined, [{ a: {} }], /numbers, booleans or strings, got a value of class Object/, 0, '.a'],
      [undefined, [{ a: 5n }], /got a bigint/, 0, '.a'],
      [undefined, [{ a: 1 }, { a: 'x' }], /int32 does not carry a string; the items before/, 1, '.a'],
      [undefined, [{ a: 'x' }, { a: true }], /string does not carry a boolean/, 1, '.a'],
      [undefined, [{ a: true }, { a: 0 }], /boolean does not carry the number 0/, 1, '.a'],
      [undefined, [{ 'my field': [] }], /got a value of class Array/, 0, '["my field"]'],
      [{ a: 'int32' }, [{ a: 1 }, { a: 1.5 }], /int32 does not carry the number 1.5$/, 1, '.a'],
      [{ a: 'int32' }, [{ a: 2 ** 31 }], /the number 2147483648/, 0, '.a'],
      [{ a: 'int32' }, [{ a: -0 }], /-0/, 0, '.a'],
      [{ a: 'float32' }, [{ a: 1e39 }], /float32 does not carry the number 1e\+39/, 0, '.a'],
      [{ a: 'float64' }, [{ a: 1, b: 2 }], /no such field; it has a/, 0, '.b'],
      [{ a: 'string' }, [{ a: 1 }], /string does not carry/, 0, '.a'],
    ]
  for (const [schema, batch, message, item, path] of misfits) {
    it(`refuses ${JSON.stringify(batch, (_, value) => (typeof value === 'bigint' ? '5n' : value))}, schema ${JSON.stringify(schema)}`, async () => {
      const error = await failsWith(handler(ECHO, schema).call(batch), EncodeError, 'ERR_ITEM_ENCODE')
      assert.match(error.message, message)
      assert.deepEqual([error.itemIndex, error.path], [item, path])
    })
  }

  it('learns nothing from a batch that it refuses', async () => {
    const echo = handler(ECHO)
    await failsWith(echo.call([{ a: 1, b: 'x' }, { a: {} }]), EncodeError, 'ERR_ITEM_ENCODE')
    assert.deepEqual(await echo.call([{ a: 'text' }]), [{ a: 'text' }])
  })

  it('reads the records at the moment of the call, also before the handler has loaded', async () => {
    const row = { a: 1 }
    const answer = handler(ECHO).call([row])
    row.a = 5
    assert.deepEqual(await answer, [{ a: 1 }])
  })

  it('keeps what a handler keeps', async () => {
    const keep = handler(`
      kept = []
      def handle(b):
          kept.append(b["a"])
          return {"a": sum(kept)}
    `)
    for (const [a, sum] of [
      [1, 1],
      [2, 3],
      [3, 6],
    ])
      assert.deepEqual(await keep.call([{ a }]), [{ a: sum }])
  })

  it('awaits async handlers', async () => {
    const asynchronous = handler(`
      import asyncio
      async def handle(b):
          await asyncio.sleep(0)
          return {"n": b["n"] + 1}
    `)
    assert.deepEqual(await asynchronous.call(input), [{ n: 2 }, { n: 3 }])
  })

  it("reports the handler's own exceptions", async () => {
    const error = await failsWith(returning('b["nothing"]').call(input), PythonError, 'ERR_PYTHON_EXCEPTION')
    assert.equal(error.pythonType, 'KeyError')
  })
})
