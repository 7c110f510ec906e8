import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PythonPool } from '../../lib/index'
import { appendFile, fileLines, runJob } from '../../lib/jobs'
import { memoryState, type Rolled } from '../../lib/streams'
import { needKafka } from '../../test/services/servers/kafka'
import { demo } from './demo'
import { demo as kafkaDemo } from './kafka'
import { serveTable } from './table'
import { text } from './text'
import { topWords, type WordCount, type WordTable, wordCount } from './words'

describe('example 5: word count with a table', () => {
  it('answers for the top ten while it runs, and ends with those of a batch', async () => {
    const { asked, top, batch } = await demo(['10000'], () => {})
    assert.deepEqual(top, batch)
    assert.equal(top.length, 10)
    const totals = asked.map((answer) => answer.reduce((sum, { count }) => sum + count, 0))
    assert.ok(
      totals.some((total) => total > 0 && total < totals.at(-1)!),
      `no answer came meanwhile: ${totals}`,
    )
    for (let at = 1; at < totals.length; at++) assert.ok(totals[at]! >= totals[at - 1]!, 'a count went back')
  })

  it('goes on with its table after it was cancelled in the middle', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-words-test-'))
    const pool = await PythonPool.open({ path: [__dirname] })
    try {
      const [file, out] = [join(folder, 'text.txt'), join(folder, 'counts.jsonl')]
      await writeFile(file, [...text(4000)].join('\n'))
      const start = (table: WordTable) =>
        runJob<WordCount>({
          name: 'words',
          pipeline: (job) => wordCount(job.source('lines', fileLines(file)), table, pool),
          sink: appendFile(out),
          checkpoint: { store: join(folder, 'state'), every: 10 },
        })
      const first = await start(memoryState<string, Rolled>())
      while (first.epoch < 3 && first.state === 'running') await new Promise((resolve) => setTimeout(resolve, 1))
      await first.cancel()
      const table = memoryState<string, Rolled>()
      await (await start(table)).done
      const lines = (await readFile(out, 'utf8')).trim().split('\n')
      const last = new Map(lines.map((line) => JSON.parse(line) as WordCount).map(({ word, count }) => [word, count]))
      assert.equal(lines.length, 4000 * 9)
      for (const { word, count } of topWords(table, 10)) assert.equal(last.get(word), count)
    } finally {
      await pool.close()
      await rm(folder, { recursive: true, force: true })
    }
  })

  it('goes from Kafka to Kafka, answers meanwhile, and is stopped and started in the middle', async function () {
    needKafka(this)
    const { asked, top, written, batch, words } = await kafkaDemo(['4000'], () => {})
    assert.equal(top.length, 10)
    assert.deepEqual(top, batch)
    assert.deepEqual(written, batch)
    assert.deepEqual(words, { table: 36_000, topic: 36_000, text: 36_000 })
    const totals = asked.map((answer) => answer.reduce((sum, { count }) => sum + count, 0))
    assert.ok(
      totals.some((total) => total > 0 && total < topTotal(top)),
      `no answer came meanwhile: ${totals}`,
    )
    for (let at = 1; at < totals.length; at++) assert.ok(totals[at]! >= totals[at - 1]!, `a count went back: ${totals}`)
  })

  it('says what can be asked', async () => {
    const table = memoryState<string, Rolled>()
    table.set('the', { accumulator: 3 })
    const { url, close } = await serveTable(table)
    try {
      assert.deepEqual(await (await fetch(`${url}/count?word=the`)).json(), { word: 'the', count: 3 })
      assert.deepEqual(await (await fetch(`${url}/top?n=5`)).json(), [{ word: 'the', count: 3 }])
      for (const path of ['/', '/top?n=x', '/count']) assert.equal((await fetch(url + path)).status, 404, path)
    } finally {
      await close()
    }
  })
})

function topTotal(words: readonly WordCount[]): number {
  return words.reduce((sum, { count }) => sum + count, 0)
}
