import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, describe, it } from 'mocha'
import { appendFile } from '../../../lib/jobs'

/** Writes an epoch, and ends as a process that was killed before its commit, or behind it. */
async function epoch(path: string, saved: unknown, number: number, texts: readonly string[], commit: boolean) {
  const sink = appendFile(path)
  await sink.open(saved)
  for (const text of texts) sink.write(text)
  const next = await sink.prepare(number)
  if (commit) await sink.commit(number)
  await sink.close()
  return next
}

describe('the epochs of a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rxjs-python-append-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  let files = 0
  const place = () => join(folder, `results-${++files}.txt`)

  it('are in it when they are committed, the first one and the next', async () => {
    const path = place()
    const first = await epoch(path, undefined, 1, ['a', 'b'], true)
    assert.equal(readFileSync(path, 'utf8'), 'a\nb\n')
    await epoch(path, first, 2, ['c'], true)
    assert.equal(readFileSync(path, 'utf8'), 'a\nb\nc\n')
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith(basename(path))),
      [basename(path)],
      'no epoch has left a file',
    )
  })

  it('come behind what was there', async () => {
    const path = place()
    writeFileSync(path, 'old\n')
    await epoch(path, undefined, 1, ['a'], true)
    assert.equal(readFileSync(path, 'utf8'), 'old\na\n')
  })

  it('are not in it before, and come when the file is opened again', async () => {
    const path = place()
    const first = await epoch(path, undefined, 1, ['a'], false)
    assert.ok(!existsSync(path))
    const second = await epoch(path, first, 2, ['b'], false)
    assert.equal(readFileSync(path, 'utf8'), 'a\n')
    await epoch(path, second, 3, [], true)
    assert.equal(readFileSync(path, 'utf8'), 'a\nb\n')
  })

  it('are completed where a commit was cut off, and not doubled where only its end was', async () => {
    const path = place()
    const first = await epoch(path, undefined, 1, ['aaaa'], true)
    // Committed, and the process has died before it could say so.
    const second = await epoch(path, first, 2, ['bbbb'], false)
    assert.equal(readFileSync(path, 'utf8'), 'aaaa\n')
    appendFileSync(path, 'bb')
    const third = await epoch(path, second, 3, ['cccc'], true)
    assert.equal(readFileSync(path, 'utf8'), 'aaaa\nbbbb\ncccc\n')
    await appendFile(path).open(third)
    assert.equal(readFileSync(path, 'utf8'), 'aaaa\nbbbb\ncccc\n')
  })

  it('of several parts that are copied are whole', async () => {
    const path = place()
    const first = await epoch(path, undefined, 1, ['head'], true)
    const long = Array.from({ length: 3 }, (_, at) => String(at).repeat(900_000))
    await epoch(path, first, 2, long, true)
    assert.equal(readFileSync(path, 'utf8'), `head\n${long.join('\n')}\n`)
  })
})
