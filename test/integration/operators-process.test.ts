import assert from 'node:assert/strict'
import { program } from '../fixtures/program'

describe('a program with operators', function () {
  this.timeout(60_000)

  it('needs no pool, and ends when its streams have', async () => {
    const { status, stdout, stderr } = await program(`
      const { from, lastValueFrom, toArray } = rxjs
      const double = py.mapPython('lambda batch: [item * 2 for item in batch]')
      const even = py.filterPython({ source: 'lambda batch: [item % 4 == 0 for item in batch]' })
      console.log(await lastValueFrom(from([1, 2, 3, 4]).pipe(double, even, toArray())))
      const pool = await py.defaultPool()
      console.log(pool.name, pool.size, pool === await py.defaultPool(), pool.info().isolation)
    `)
    assert.equal(stdout, '[ 4, 8 ]\ndefault 1 true shared\n', stderr)
    assert.equal(status, 0)
  })

  it('ends also where a stream was left, or failed, in the middle', async () => {
    const { status, stdout, stderr } = await program(`
      const pool = await py.PythonPool.open({ python, path, size: 2 })
      const forever = rxjs.range(0, 10).pipe(py.mapPython('flow:forever', { pool, batch: 1, concurrency: 1 })).subscribe()
      rxjs.interval(5).pipe(py.mapPython('flow:fail_on_13', { pool, batch: 1 })).subscribe({
        next: (value) => value === 12 && console.log('twelve'),
        error: (error) => {
          console.log(error.code)
          forever.unsubscribe()
        },
      })
    `)
    assert.equal(stdout, 'twelve\nERR_PYTHON_EXCEPTION\n', stderr)
    assert.equal(status, 0)
  })

  it('says so where there is no Python', async () => {
    const { status, stdout, stderr } = await program(
      `rxjs.of(1).pipe(py.mapPython('seen')).subscribe({ error: (error) => console.log(error.code, error.message) })`,
      { VIRTUAL_ENV: '/no/such/environment' },
    )
    assert.match(stdout, /^ERR_PYTHON_NOT_FOUND VIRTUAL_ENV=\/no\/such\/environment points to no folder/, stderr)
    assert.equal(status, 0)
  })

  it('keeps a stream of a million items in bounded memory', async () => {
    const { status, stdout, stderr } = await program(`
      const pool = await py.PythonPool.open({ python, path })
      let pulled = 0
      let out = 0
      let most = 0
      const source = py.fromIterable(function* () {
        for (; pulled < 1_000_000; pulled++) {
          most = Math.max(most, pulled - out)
          yield 'item ' + pulled
        }
      })
      const results = source.pipe(py.mapPython('seen', { pool, codec: 'string' }), rxjs.tap(() => out++))
      const last = await rxjs.lastValueFrom(results)
      console.log(last, out, most < 20_000)
      await pool.close()
    `)
    assert.equal(stdout, 'item 999999 1000000 true\n', stderr)
    assert.equal(status, 0)
  })
})
