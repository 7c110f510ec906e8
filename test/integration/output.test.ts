import assert from 'node:assert/strict'
import type { LogRecord, PythonPool } from '../../lib/index'
import { inEachMode, openPool, withPool } from '../fixtures/modes'
import { program } from '../fixtures/program'

interface Heard {
  stdout: string[]
  stderr: string[]
  logs: LogRecord[]
  results: unknown[]
}

/** What a call makes the pool's listeners hear; output that comes later than the call's result is waited for. */
async function hear(pool: PythonPool, name: string, more?: (heard: Heard) => boolean): Promise<Heard> {
  const heard: Heard = { stdout: [], stderr: [], logs: [], results: [] }
  const stdout = (text: string) => heard.stdout.push(text)
  const stderr = (text: string) => heard.stderr.push(text)
  const log = (record: LogRecord) => heard.logs.push(record)
  pool.on('stdout', stdout).on('stderr', stderr).on('log', log)
  try {
    const handler = pool.handler(`printing:${name}`)
    heard.results = await handler.call(['a', 'b']).catch(() => [])
    for (let i = 0; i < 100 && more !== undefined && !more(heard); i++)
      await new Promise((done) => setTimeout(done, 10))
    await handler.close()
  } finally {
    pool.off('stdout', stdout).off('stderr', stderr).off('log', log)
  }
  return heard
}

inEachMode('output', (test) => {
  it('of print comes as events, before the result of its call', async () => {
    const { stdout, stderr } = await hear(test.pool, 'lines')
    assert.equal(stdout.join(''), 'line: a\nline: b\n')
    assert.deepEqual(stderr, [])
  })

  it('that does not end with its line comes when the call ends', async () => {
    assert.equal((await hear(test.pool, 'partial')).stdout.join(''), 'half a line')
  })

  it('to stderr comes as an event of its own', async () => {
    const { stdout, stderr } = await hear(test.pool, 'errors')
    assert.deepEqual([stdout.join(''), stderr.join('')], ['', 'to stderr\nhalf a line'])
  })

  it('of threads keeps its lines whole', async () => {
    const { stdout } = await hear(test.pool, 'threads')
    const lines = stdout.join('').split('\n')
    assert.equal(lines.pop(), '')
    assert.equal(lines.length, 200)
    for (const line of lines) assert.match(line, /^thread\d one two three$/)
  })

  it('that only this package should write, and that is nothing of the kind, is passed over', async () => {
    const { pool } = test
    const gil = '"gil": "reenabled"'
    const records = ['{"message": 1}', '{"level": "INFO", "logger": "x", "message": "y", "time": "now"}']
    const notices = [
      '{"debug": null}',
      '{"debug": {}}',
      `{${gil}}`,
      `{${gil}, "imports": 5}`,
      `{${gil}, "imports": [5]}`,
    ]
    const texts = ['no JSON', 'null', '5', '"text"', '[]', '{}', ...records, ...notices]
    const before = pool.info()
    const logs: LogRecord[] = []
    const log = (record: LogRecord) => logs.push(record)
    pool.on('log', log)
    const handler = pool.handler<string, string>('printing:nonsense')
    try {
      assert.deepEqual(await handler.call(texts), texts)
      // What it said comes before the answer to a later call.
      await handler.call([])
    } finally {
      pool.off('log', log)
      await handler.close()
    }
    assert.deepEqual(logs, [])
    const { gil: now, gilImports, debug } = pool.info()
    assert.deepEqual([now, gilImports, debug], [before.gil, before.gilImports, before.debug])
  })

  it('of many lines comes in order and in full', async () => {
    const { stdout } = await hear(test.pool, 'many')
    assert.equal(stdout.join(''), Array.from({ length: 2000 }, (_, i) => `${i}\n`).join(''))
  })

  it('of logging comes as records', async () => {
    const before = Date.now()
    const { logs, stderr } = await hear(test.pool, 'logs')
    assert.deepEqual(
      logs.map(({ level, logger, message, traceback }) => [level, logger, message, traceback]),
      [
        ['WARNING', 'model', 'slow by 20 %', undefined],
        ['ERROR', 'root', 'from the root', undefined],
      ],
    )
    for (const { time } of logs) assert.ok(Math.abs(time - before) < 60_000, `${time} is not now`)
    assert.deepEqual(stderr, [])
  })

  it('of logging has the traceback of an exception', async () => {
    const [record] = (await hear(test.pool, 'logs_exception')).logs
    assert.equal(record!.message, 'could not divide')
    assert.match(record!.traceback!, /1 \/ 0[\s\S]*ZeroDivisionError/)
  })
})

withPool('output of one interpreter', (test) => {
  it('that is flushed comes at once', async () => {
    const chunks: [text: string, time: number][] = []
    const listener = (text: string) => chunks.push([text, performance.now()])
    const handler = test.pool.handler('printing:flushed')
    test.pool.on('stdout', listener)
    await handler.call([1])
    test.pool.off('stdout', listener)
    assert.deepEqual(
      chunks.map(([text]) => text),
      ['first', ', second\n'],
    )
    assert.ok(chunks[1]![1] - chunks[0]![1] > 100)
  })

  it('may have any characters', async () => {
    assert.equal((await hear(test.pool, 'characters')).stdout.join(''), 'é€😀 \\ud800 \0 tab\tend\n\n')
  })

  it('may be bytes', async () => {
    assert.equal((await hear(test.pool, 'as_bytes')).stdout.join(''), 'é€\\xff\n')
  })

  it('may be long', async () => {
    assert.equal((await hear(test.pool, 'long')).stdout.join(''), `${'x'.repeat(100_000)}\n`)
  })

  it("goes where the handler's own logging sends it", async () => {
    const { stdout, logs } = await hear(test.pool, 'logs_own_way')
    assert.deepEqual([stdout.join(''), logs], ['WARNING formatted\n', []])
  })

  it('of warnings goes to stderr', async () => {
    assert.match((await hear(test.pool, 'warns')).stderr.join(''), /printing\.py:\d+: FutureWarning: this will change/)
  })

  it('of a thread that fails goes to stderr', async () => {
    assert.match((await hear(test.pool, 'thread_fails')).stderr.join(''), /ValueError: in a thread of its own/)
  })

  it('of a thread that goes on after the call still comes', async () => {
    const { stdout } = await hear(test.pool, 'later', (heard) => heard.stdout.length > 0)
    assert.equal(stdout.join(''), 'after the call\n')
  })

  it('of a call that fails comes all the same', async () => {
    assert.equal((await hear(test.pool, 'fails')).stdout.join(''), 'before it failed\nand half a line')
  })

  it('is there while a module is imported', async () => {
    const pool = await openPool({ isolation: 'shared' })
    const texts: string[] = []
    pool.on('stdout', (text) => texts.push(text))
    const source = 'print("while it was loaded")\ndef handle(batch): return batch'
    await pool.handler({ source }).call([])
    await pool.close()
    assert.equal(texts.join(''), 'while it was loaded\n')
  })

  it('has an input that is at its end, streams like files, and no way to close them', async () => {
    const { stdout, results } = await hear(test.pool, 'asks')
    assert.equal(stdout.join(''), 'name? ')
    assert.deepEqual(results, ['nobody answers', 'nobody answers'])
    assert.deepEqual(await test.pool.handler('printing:streams').call([1, 2]), [
      [false, 'utf-8', true, false, false, 1],
      [false, 'utf-8', true, false, false, 2],
    ])
    assert.equal((await hear(test.pool, 'closes')).stdout.join(''), 'still here\n')
  })

  it('goes to the pool that printed', async () => {
    const other = await openPool({ isolation: 'namespace' })
    const texts: string[] = []
    other.on('stdout', (text) => texts.push(text))
    const { stdout } = await hear(test.pool, 'lines')
    assert.equal(stdout.join(''), 'line: a\nline: b\n')
    assert.deepEqual(texts, [])
    await other.handler('printing:lines').call(['c'])
    await other.close()
    assert.equal(texts.join(''), 'line: c\n')
  })
})

describe('output that nobody listens to', function () {
  this.timeout(60_000)

  const OPEN = 'const pool = await py.PythonPool.open({ python, path })\n'

  it("goes to the process's own streams", async () => {
    const { status, stdout, stderr } = await program(`${OPEN}
      await pool.handler('printing:characters').call([1])
      await pool.handler('printing:errors').call([1])
      await pool.handler('printing:logs').call([1])
      await pool.handler('printing:logs_exception').call([1])
      await pool.close()
    `)
    assert.equal(stdout, 'é€😀 \\ud800 \0 tab\tend\n\n')
    assert.match(
      stderr,
      /^to stderr\nhalf a lineslow by 20 %\nfrom the root\ncould not divide\nTraceback[\s\S]*ZeroDivisionError/,
    )
    assert.equal(status, 0)
  })

  it('keeps coming where a listener throws, and so do results', async () => {
    const { status, stdout, stderr } = await program(`${OPEN}
      const thrown = []
      process.on('uncaughtException', (error) => thrown.push(error.message))
      pool.on('stdout', (text) => { if (text.includes('line')) throw new Error('from a listener') })
      const answer = await pool.handler('printing:lines').call([1, 2])
      await pool.close()
      setTimeout(() => console.log(answer, ...thrown), 20)
    `)
    assert.equal(stdout, '[ 1, 2 ] from a listener from a listener\n', stderr)
    assert.equal(status, 0)
  })
})
