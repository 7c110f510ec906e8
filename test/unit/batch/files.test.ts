import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import fc from 'fast-check'
import { after, before, describe, it } from 'mocha'
import { lastValueFrom } from 'rxjs'
import { type Dataset, FileFormatError, fromFiles, PartitionError } from '../../../lib/batch'
import { OptionError } from '../../../lib/errors'
import { failsWith } from '../../fixtures/failures'
import { temporaryFolder } from '../../fixtures/temporary'

const collected = <T>(dataset: Dataset<T>) => lastValueFrom(dataset.collect())

describe('datasets from files', () => {
  let temporary: Awaited<ReturnType<typeof temporaryFolder>>
  let folder: string
  let files = 0
  before(async () => {
    temporary = await temporaryFolder()
    folder = temporary.path
  })
  after(() => temporary[Symbol.asyncDispose]())
  const file = (name: string, content: string | Uint8Array) => {
    const path = join(folder, `${files++}-${name}`)
    writeFileSync(path, content)
    return path
  }

  it('text: each line once, wherever the borders of partitions are', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('', 'a', 'bcd', 'éü€', 'x'.repeat(9)), { minLength: 1, maxLength: 12 }),
        fc.constantFrom('\n', '\r\n'),
        fc.boolean(),
        fc.integer({ min: 1, max: 30 }),
        async (lines, end, closed, partitionBytes) => {
          const path = file('lines.txt', lines.join(end) + (closed ? end : ''))
          // What stands behind the last line end is a line only where there is something.
          const expected = closed || lines.at(-1) !== '' ? lines : lines.slice(0, -1)
          assert.deepEqual(await collected(fromFiles(path, { partitionBytes })), expected)
        },
      ),
      { numRuns: 150 },
    ))

  it('text longer than what is read at once, without the mark at its start', async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'é'.repeat(i % 50)}`)
    const path = file('long.log', `\ufeff${lines.join('\n')}`)
    assert.deepEqual(await collected(fromFiles(path, { partitionBytes: 300_001 })), lines)
  })

  it('JSON lines, which say where they are wrong', async () => {
    const path = file('good.jsonl', '{"a":1}\n\n[2]\n"three"')
    assert.deepEqual(await collected(fromFiles<unknown>(path, { partitionBytes: 5 })), [{ a: 1 }, [2], 'three'])
    const bad = file('bad.ndjson', '{"a":1}\n{"a":\n')
    const error = await failsWith(collected(fromFiles(bad)), PartitionError, 'ERR_PARTITION')
    assert.ok(error.cause instanceof FileFormatError)
    assert.match(error.message, /failed in fromFiles\(.*bad\.ndjson: the line at byte 8 is not JSON/)
  })

  it('CSV: quotes, names of columns, tabs', async () => {
    const path = file('table.csv', '\ufeffname,text\nann,"a, ""b""\nc"\nbob,\n')
    const expected = [
      { name: 'ann', text: 'a, "b"\nc' },
      { name: 'bob', text: '' },
    ]
    assert.deepEqual(await collected(fromFiles<unknown>(path)), expected)
    const tabs = file('table.tsv', 'ann\tx\n')
    assert.deepEqual(await collected(fromFiles<unknown>(tabs, { columns: ['a', 'b'] })), [{ a: 'ann', b: 'x' }])
    const error = await failsWith(
      collected(fromFiles(file('bad.csv', 'a,b\n1,2,3\n'))),
      PartitionError,
      'ERR_PARTITION',
    )
    assert.ok(error.cause instanceof FileFormatError)
  })

  it('Parquet, a partition for each row group', async () => {
    const { parquetWriteBuffer } = (await import(
      createRequire(__filename).resolve('hyparquet-writer')
    )) as typeof import('hyparquet-writer')
    const n = 250
    const content = parquetWriteBuffer({
      columnData: [
        { name: 'id', data: Array.from({ length: n }, (_, i) => i), type: 'INT32' },
        { name: 'name', data: Array.from({ length: n }, (_, i) => `n${i}`), type: 'STRING' },
      ],
      rowGroupSize: 100,
    })
    const path = file('table.parquet', new Uint8Array(content))
    const dataset = fromFiles<{ id: number; name: string }>(path)
    const expected = Array.from({ length: n }, (_, id) => ({ id, name: `n${id}` }))
    assert.deepEqual(await collected(dataset), expected)
    const numbers = await collected(fromFiles<{ id: number }>(path, { columns: ['id'] }))
    assert.deepEqual(numbers[101], { id: 101 })
    const widths = await collected(dataset.groupBy((row) => row.id % 2).map(({ value }) => value.length))
    assert.deepEqual(widths, [125, 125])
    const error = await failsWith(
      collected(fromFiles(file('bad.parquet', 'PAR1 no'))),
      FileFormatError,
      'ERR_FILE_FORMAT',
    )
    assert.match(error.path, /bad\.parquet$/)
  })

  it('a folder: its files by name, those with a known ending', async () => {
    const inside = join(folder, 'inside')
    mkdirSync(inside)
    for (const [name, text] of [
      ['b.txt', 'b'],
      ['a.txt', 'a'],
      ['c.bin', 'c'],
      ['.hidden.txt', 'd'],
    ] as const) {
      writeFileSync(join(inside, name), text)
    }
    assert.deepEqual(await collected(fromFiles(inside)), ['a', 'b'])
    assert.deepEqual(await collected(fromFiles(inside, { format: 'text' })), ['a', 'b', 'c'])
  })

  it('a file that is not there, an ending that is not known, wrong options', async () => {
    const missing = fromFiles(join(folder, 'none.txt'))
    await assert.rejects(collected(missing), { code: 'ENOENT' })
    writeFileSync(join(folder, 'none.txt'), 'now')
    assert.deepEqual(await collected(missing), ['now'])
    for (const wrong of [
      () => fromFiles([]),
      () => fromFiles('data.xlsx'),
      () => fromFiles('a.csv', { delimiter: '' }),
      () => fromFiles('a.csv', { columns: 'a' as never }),
      () => fromFiles('a.txt', { partitionBytes: 0 }),
      () => fromFiles('a.txt', { formats: 'text' } as never),
    ]) {
      assert.throws(wrong, OptionError)
    }
  })
})
