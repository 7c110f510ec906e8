import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lockByFile } from '../../lib/pool/file-lock'
import { temporaryFolder } from '../fixtures/temporary'

describe('lockByFile', () => {
  it('lets one in at a time, and leaves no file', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'lock')
    let inside = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const release = await lockByFile(path)
        most = Math.max(most, ++inside)
        await sleep(5)
        inside--
        await release()
      }),
    )
    assert.equal(most, 1)
    assert.deepEqual(await readdir(folder.path), [])
  })

  const dead = () => spawnSync(process.execPath, ['-e', '']).pid
  const gone: [string, () => string | object][] = [
    ['has died', () => ({ id: 'x', host: hostname(), pid: dead(), started: '1' })],
    ['had the number of a process that is a later one', () => ({ id: 'x', host: hostname(), pid: 1, started: '-1' })],
    ['wrote nothing that can be read', () => ''],
  ]
  for (const [what, holder] of gone) {
    it(`takes over from a holder that ${what}`, async () => {
      await using folder = await temporaryFolder()
      const path = join(folder.path, 'lock')
      const text = holder()
      await writeFile(path, typeof text === 'string' ? text : JSON.stringify(text))
      const release = await lockByFile(path, { signal: AbortSignal.timeout(10_000) })
      assert.equal(JSON.parse(await readFile(path, 'utf8')).pid, process.pid)
      await release()
      assert.deepEqual(await readdir(folder.path), [])
    })
  }

  it('does not take over from a holder on another machine, and stops waiting when aborted', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'lock')
    await writeFile(path, JSON.stringify({ id: 'x', host: `not-${hostname()}`, pid: dead(), started: '1' }))
    await assert.rejects(lockByFile(path, { signal: AbortSignal.timeout(300) }))
    assert.ok(existsSync(path))
  })

  it('does not remove a lock that has become somebody else’s', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'lock')
    const release = await lockByFile(path)
    await writeFile(path, JSON.stringify({ id: 'other', host: hostname(), pid: process.pid, started: null }))
    await release()
    assert.ok(existsSync(path))
  })
})
