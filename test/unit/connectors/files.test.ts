import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, rename, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { firstValueFrom, from, lastValueFrom, take, toArray } from 'rxjs'
import {
  fileSink,
  fileSource,
  folderSink,
  folderSource,
  tailFile,
  type WriteFormat,
} from '../../../lib/connectors/files'
import { fromSource, toSink } from '../../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../../lib/testing'
import { temporaryFolder } from '../../fixtures/temporary'

interface Row {
  n: number
  text: string
}

const row = (n: number): Row => ({ n, text: `row "${n}",\nand more` })

function folder(): { path: string; dispose(): void } {
  const path = mkdtempSync(join(tmpdir(), 'rxjs-python-'))
  return { path, dispose: () => rmSync(path, { recursive: true, force: true }) }
}

const jsonl = (items: readonly unknown[]) => items.map((item) => `${JSON.stringify(item)}\n`).join('')

sourceConformance(
  'fileSource',
  async () => {
    const { path, dispose } = folder()
    const file = join(path, 'rows.jsonl')
    await writeFile(file, '')
    let letters = 0
    return {
      open: () => fileSource<Row>(file, { deadLetters: () => letters++ }),
      put: (items) => appendFile(file, jsonl(items)),
      item: row,
      ends: true,
      replays: true,
      putBad: () => appendFile(file, '{"n":\n'),
      letters: () => letters,
      dispose,
    }
  },
  { refuses: true },
)

sourceConformance('folderSource', () => {
  const { path, dispose } = folder()
  let files = 0
  return {
    open: () => folderSource<Row>(path, { every: 5, settle: 0 }),
    async put(items) {
      for (let at = 0; at < items.length; at += 7) {
        const name = `${String(files++).padStart(5, '0')}.jsonl`
        await writeFile(join(path, `.${name}`), jsonl(items.slice(at, at + 7)))
        await rename(join(path, `.${name}`), join(path, name))
      }
    },
    item: row,
    ends: false,
    replays: true,
    dispose,
  }
})

sourceConformance('tailFile', async () => {
  const { path, dispose } = folder()
  const file = join(path, 'app.log')
  await writeFile(file, '')
  let rotations = 0
  return {
    open: () => tailFile<string>(file, { every: 5, from: 'oldest' }),
    async put(items) {
      const half = items.length >> 1
      await appendFile(
        file,
        items
          .slice(0, half)
          .map((line) => `${line}\n`)
          .join(''),
      )
      if (half === 0) return
      // Times of files are as coarse as the system's clock tick.
      await sleep(15)
      await rename(file, `${file}.${++rotations}`)
      await writeFile(
        file,
        items
          .slice(half)
          .map((line) => `${line}\n`)
          .join(''),
      )
    },
    item: (at) => `line ${at} ü`,
    ends: false,
    replays: true,
    dispose,
  }
})

sinkConformance('fileSink with CSV', () => {
  const { path, dispose } = folder()
  const file = join(path, 'rows.csv')
  return {
    open: () => fileSink<Row>(file, { format: 'csv' }),
    item: row,
    contents: async () => {
      const rows = await firstValueFrom(
        fromSource(fileSource<{ n: string; text: string }>(file)).pipe(toArray()),
      ).catch((error) => {
        if (error.code !== 'ENOENT') throw error
        return []
      })
      return rows.map(({ n, text }) => ({ n: Number(n), text }))
    },
    guarantee: 'exactly-once',
    dispose,
  }
})

for (const format of ['jsonl', 'parquet', 'arrow'] as const) {
  sinkConformance(`folderSink with ${format}`, () => {
    const { path, dispose } = folder()
    return {
      open: () => folderSink<Row>(path, { format, maxItems: 30 }),
      item: row,
      contents: () =>
        firstValueFrom(fromSource(folderSource<Row>(path, { watch: false, settle: 0 })).pipe(toArray())).then((rows) =>
          rows.map(({ n, text }) => ({ n: Number(n), text })),
        ),
      guarantee: 'exactly-once',
      dispose,
    }
  })
}

describe('fileSource', () => {
  for (const format of ['csv', 'parquet', 'arrow', 'jsonl'] as WriteFormat<Row>[]) {
    it(`goes on in the middle of ${format}`, async () => {
      await using at = await temporaryFolder()
      const rows = Array.from({ length: 50 }, (_, n) => row(n))
      await lastValueFrom(from(rows).pipe(toSink(folderSink<Row>(at.path, { format }))))
      const [name] = await readdir(at.path)
      const source = fileSource<Row>(join(at.path, name!))
      const all: (readonly [Row, number])[] = []
      for await (const one of source.read(undefined)) all.push(one)
      const rest: Row[] = []
      for await (const [item] of source.read(all[19]![1])) rest.push(item)
      assert.deepEqual(
        rest.map(({ n, text }) => ({ n: Number(n), text })),
        rows.slice(20),
      )
    })
  }

  it('reads lines with and without ends, and a file as a whole', async () => {
    await using at = await temporaryFolder()
    const file = join(at.path, 'a.txt')
    await writeFile(file, '\ufeffone\r\n\ntwo')
    const read = (options = {}) => firstValueFrom(fromSource(fileSource(file, options)).pipe(toArray()))
    assert.deepEqual(await read(), ['one', '', 'two'])
    const [whole] = (await read({ format: 'whole' })) as Buffer[]
    assert.equal(whole!.length, 12)
    await assert.rejects(firstValueFrom(fromSource(fileSource(join(at.path, 'none.txt')))), { code: 'ENOENT' })
  })

  it('says where a file is not what it should be', async () => {
    await using at = await temporaryFolder()
    for (const name of ['a.parquet', 'a.arrow', 'a.csv']) {
      const file = join(at.path, name)
      await writeFile(file, 'a,b\n1,"x"y\n')
      await assert.rejects(firstValueFrom(fromSource(fileSource(file))), { code: 'ERR_FILE_FORMAT' }, name)
    }
  })

  it('names all that is wrong with its options', () => {
    assert.throws(() => fileSource('', { columns: 1, codec: 'x' } as never), {
      code: 'ERR_OPTION',
      message: /path[\s\S]*columns[\s\S]*codec/,
    })
    assert.throws(() => fileSource('data.bin'), /not known by its ending/)
    assert.throws(() => folderSource('x', { afterwards: 'burn' as never }), { code: 'ERR_OPTION' })
    assert.throws(() => folderSink('x', { prefix: '../x' }), { code: 'ERR_OPTION' })
    assert.throws(() => tailFile('x', { from: 'middle' as never }), { code: 'ERR_OPTION' })
  })
})

describe('folderSource', () => {
  it('waits until a file does not change any more', async () => {
    await using at = await temporaryFolder()
    await writeFile(join(at.path, 'a.txt'), 'half')
    const reading = firstValueFrom(
      fromSource(folderSource(at.path, { every: 5, settle: 300 })).pipe(take(1), toArray()),
    )
    await sleep(100)
    await appendFile(join(at.path, 'a.txt'), ' and half')
    assert.deepEqual(await reading, ['half and half'])
  })

  it('moves away what a checkpoint has', async () => {
    await using at = await temporaryFolder()
    await mkdir(join(at.path, 'done'))
    for (const name of ['a', 'b', 'c']) await writeFile(join(at.path, `${name}.txt`), `1${name}\n2${name}`)
    const source = folderSource(at.path, { watch: false, settle: 0, afterwards: { moveTo: join(at.path, 'done') } })
    const positions = []
    for await (const [, position] of source.read(undefined)) positions.push(position)
    await source.commit!(positions[2]!)
    assert.deepEqual(await readdir(join(at.path, 'done')), ['a.txt'])
    await source.commit!(positions[5]!)
    await source.commit!(positions[5]!)
    assert.deepEqual(await readdir(join(at.path, 'done')), ['a.txt', 'b.txt', 'c.txt'])
  })
})

describe('tailFile', () => {
  async function* linesFrom(file: string, over: AbortController, position?: { file: string; at: number }) {
    yield* tailFile<string>(file, { every: 5 }).read(position, over.signal) as AsyncGenerator<
      readonly [string, { file: string; at: number }]
    >
  }

  it('waits for the end of a line, and for a file that is not there yet', async () => {
    await using at = await temporaryFolder()
    const over = new AbortController()
    const lines = linesFrom(join(at.path, 'a.log'), over)
    const first = lines.next()
    await sleep(20)
    await writeFile(join(at.path, 'a.log'), 'one')
    await sleep(30)
    await appendFile(join(at.path, 'a.log'), ' line\n')
    assert.equal((await first).value![0], 'one line')
    over.abort()
    assert.equal((await lines.next()).done, true)
  })

  it('begins anew where the file was truncated', async () => {
    await using at = await temporaryFolder()
    const file = join(at.path, 'a.log')
    await writeFile(file, 'one\ntwo\n')
    const over = new AbortController()
    const lines = linesFrom(file, over)
    assert.equal((await lines.next()).value![0], 'one')
    assert.equal((await lines.next()).value![0], 'two')
    const third = lines.next()
    await sleep(20)
    await truncate(file)
    await sleep(20)
    await appendFile(file, 'new\n')
    assert.equal((await third).value![0], 'new')
    over.abort()
  })

  it('goes on in a file that was renamed while nobody read', async () => {
    await using at = await temporaryFolder()
    const file = join(at.path, 'a.log')
    await writeFile(file, 'one\ntwo\n')
    const over = new AbortController()
    const { value } = await linesFrom(file, over).next()
    over.abort()
    await appendFile(file, 'three\n')
    await rename(file, `${file}.2`)
    await sleep(20)
    await writeFile(`${file}`, 'four\n')
    await sleep(20)
    await rename(file, `${file}.1`)
    await writeFile(file, 'five\n')
    const again = new AbortController()
    const seen: string[] = []
    for await (const [line] of linesFrom(file, again, value![1])) {
      seen.push(line)
      if (seen.length === 4) break
    }
    assert.deepEqual(seen, ['two', 'three', 'four', 'five'])
  })
})

describe('folderSink', () => {
  it('leaves alone what was there, and shows nothing that is not safe', async () => {
    await using at = await temporaryFolder()
    await writeFile(join(at.path, 'part-000007-00.jsonl'), 'old')
    const sink = folderSink<number>(at.path)
    await sink.open(undefined)
    await sink.write(1)
    await sink.prepare(1)
    const shown = async () => (await readdir(at.path)).filter((name) => !name.startsWith('.')).sort()
    assert.deepEqual(await shown(), ['part-000007-00.jsonl'])
    await sink.commit(1)
    assert.deepEqual(await shown(), ['part-000007-00.jsonl', 'part-000008-00.jsonl'])
    assert.equal(await readFile(join(at.path, 'part-000008-00.jsonl'), 'utf8'), '1\n')
  })
})
