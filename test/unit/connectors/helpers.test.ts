import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Subject } from 'rxjs'
import { loadClient, satisfies } from '../../../lib/connectors/client'
import { type DeadLetter, DeadLetters } from '../../../lib/connectors/deadLetters'
import { COMMON, type ConnectorOptions, checkCommon } from '../../../lib/connectors/options'
import { Backoff, retrying } from '../../../lib/connectors/retry'
import { redact, redactUrl, safeError, secretsOf } from '../../../lib/connectors/secrets'
import { ClientMissingError, ConnectionError, OptionError } from '../../../lib/errors'
import { StreamChecker } from '../../../lib/streams/check'

describe('a connector’s client', () => {
  it('is loaded when it is used, whether it is CommonJS or a module', async () => {
    assert.equal(typeof (await loadClient<typeof import('csv-parse')>('csv-parse', '^7.0.0')).parse, 'function')
    assert.equal(typeof (await loadClient<typeof import('mocha')>('mocha', '^11.0.0')).describe, 'function')
    const { parquetRead } = await loadClient<typeof import('hyparquet')>('hyparquet', '^1.0.0')
    assert.equal(typeof parquetRead, 'function')
  })

  it('that is missing is an error with the line to type', async () => {
    await assert.rejects(loadClient('not-a-client-of-ours', '^5.0.0 || ^6.1.0'), (error) => {
      assert.ok(error instanceof ClientMissingError)
      assert.equal(error.code, 'ERR_CLIENT_MISSING')
      assert.match(error.message, /run 'npm install not-a-client-of-ours@\^6\.1\.0'/)
      return true
    })
  })

  it('in a version that does not fit is an error that names both', async () => {
    await assert.rejects(loadClient('mocha', '^3.0.0'), /version 11\.\d+\.\d+, and \^3\.0\.0 is needed/)
  })

  it('has its version compared as npm does it', () => {
    assert.deepEqual(
      ['5.2.0', '6.0.9', '6.1.0', '6.9.9', '7.0.0'].map((version) => satisfies(version, '^5.0.0 || ^6.1.0')),
      [true, false, true, true, false],
    )
    assert.deepEqual(
      ['0.9.5', '0.10.0', '0.9.0'].map((version) => satisfies(version, '^0.9.1')),
      [true, false, false],
    )
  })
})

describe('reconnecting', () => {
  it('waits longer each time, up to a limit, and never for the same time twice', async () => {
    const waits: number[] = []
    for (const random of [() => 0, () => 1]) {
      let failures = 0
      const backoff = new Backoff('test', { initial: 2, max: 8, attempts: 6 }, [], random)
      const began = performance.now()
      await retrying(backoff, undefined, async () => {
        if (++failures < 6) throw new Error('away')
      })
      waits.push(performance.now() - began)
    }
    // 2 + 4 + 8 + 8 + 8 milliseconds, and half of that.
    assert.ok(waits[0]! >= 13 && waits[1]! >= 28, waits.join())
  })

  it('ends with an error after the last attempt, without the secrets', async () => {
    const backoff = new Backoff('test: orders', { initial: 0, max: 0, attempts: 3 }, ['geheim'])
    let attempts = 0
    const failing = retrying(backoff, undefined, async () => {
      attempts++
      throw Object.assign(new Error('cannot log in with geheim'), { code: 'ELOGIN' })
    })
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof ConnectionError)
      assert.equal(error.message, 'test: orders: cannot log in with *** (3 attempts)')
      assert.equal((error.cause as { code: string }).code, 'ELOGIN')
      assert.doesNotMatch((error.cause as Error).stack!, /geheim/)
      return true
    })
    assert.equal(attempts, 3)
  })

  it('ends at once where it is told to, or where another attempt is of no use', async () => {
    const controller = new AbortController()
    const backoff = () => new Backoff('test', { initial: 60_000, max: 60_000, attempts: 9 })
    const waiting = retrying(backoff(), controller.signal, () => Promise.reject(new Error('away')))
    setImmediate(() => controller.abort())
    assert.equal(await waiting, undefined)
    const refused = retrying(
      backoff(),
      undefined,
      () => Promise.reject(new Error('wrong password')),
      () => false,
    )
    await assert.rejects(refused, /wrong password/)
  })
})

describe('secrets', () => {
  const options = {
    url: 'amqp://ada:p%40ss@example.com/vhost?token=t0ken&heartbeat=5',
    sasl: { username: 'ada', password: 'pässword' },
    tls: { key: '-----BEGIN KEY-----', ca: 'public' },
    name: 'orders',
  }

  it('are found wherever they are in the options', () => {
    const found = secretsOf(options)
    for (const secret of ['p%40ss', 'p@ss', 't0ken', 'pässword', '-----BEGIN KEY-----'])
      assert.ok(found.includes(secret))
    for (const other of ['ada', 'public', 'orders', '5']) assert.ok(!found.includes(other))
  })

  it('are left out of URLs, texts and errors, with their causes', () => {
    assert.equal(redactUrl(options.url), 'amqp://ada:***@example.com/vhost?token=***&heartbeat=5')
    assert.equal(redact('a pässword, a p@ss', secretsOf(options)), 'a ***, a ***')
    const plain = new Error('nothing to hide')
    assert.equal(safeError(plain, secretsOf(options)), plain)
    const outer = new Error('outer', { cause: new TypeError('inner t0ken') })
    const safe = safeError(outer, secretsOf(options)) as Error
    assert.equal((safe.cause as Error).message, 'inner ***')
    assert.equal((safe.cause as Error).name, 'TypeError')
  })
})

describe('dead letters', () => {
  const bad = new Error('no JSON')

  it('go to an observer or a function, and the stream goes on', () => {
    const subject = new Subject<DeadLetter>()
    const seen: DeadLetter[] = []
    subject.subscribe((letter) => seen.push(letter))
    new DeadLetters('test: orders', subject).add(bad, 'raw', 7)
    new DeadLetters('test: orders', (letter) => seen.push(letter)).add(bad, 'raw', 8)
    assert.deepEqual(seen, [
      { error: bad, record: 'raw', position: 7, from: 'test: orders' },
      { error: bad, record: 'raw', position: 8, from: 'test: orders' },
    ])
  })

  it('stop the stream where that is asked for', () => {
    assert.throws(() => new DeadLetters('test', 'error').add(bad, 'raw'), bad)
  })

  it('are a warning now and then where nobody takes them', async () => {
    const warnings: Error[] = []
    const hear = (warning: Error) => warnings.push(warning)
    process.on('warning', hear)
    const letters = new DeadLetters('test: orders', undefined)
    for (let at = 0; at < 25; at++) letters.add(bad, 'raw')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', hear)
    const ours = warnings.filter((warning) => (warning as { code?: string }).code === 'RXJS_PYTHON_DEAD_LETTER')
    assert.deepEqual(
      ours.map(({ message }) => message.split(' left')[0]),
      ['test: orders: a record was', 'test: orders: 10 records were'],
    )
    assert.equal(letters.count, 25)
  })
})

describe('the options of all connectors', () => {
  const complete = (options: ConnectorOptions<unknown>) => {
    const check = new StreamChecker('test', options, COMMON)
    const common = checkCommon(check, 'test', options, { batch: 100, maxBatch: 1000 })
    check.done()
    return common
  }

  it('have defaults', () => {
    const { codec, batch, retry } = complete({})
    assert.deepEqual(codec.decode(Buffer.from('{"a":1}')), { a: 1 })
    assert.equal(codec.encode({ a: 1 }), '{"a":1}')
    assert.equal(batch, 100)
    assert.deepEqual(retry, { initial: 100, max: 10_000, attempts: Number.POSITIVE_INFINITY })
  })

  it('have codecs by name, which refuse what is not theirs, or as functions', () => {
    assert.equal(complete({ codec: 'string' }).codec.decode(Buffer.from('ä')), 'ä')
    assert.deepEqual(complete({ codec: 'buffer' }).codec.decode(Buffer.from([1])), Buffer.from([1]))
    assert.throws(() => complete({ codec: 'string' }).codec.encode(1), TypeError)
    assert.throws(() => complete({ codec: 'buffer' }).codec.encode('a'), TypeError)
    assert.throws(() => complete({}).codec.encode(undefined), TypeError)
    const own = { decode: () => 1, encode: () => 'one' }
    assert.equal(complete({ codec: own }).codec.encode(1), 'one')
  })

  it('are checked, all at once', () => {
    const wrong = { codec: 'xml', batch: 0, retry: { initial: -1, attempt: 1 }, deadLetters: 5, signal: {} }
    assert.throws(
      () => complete(wrong as never),
      (error) => error instanceof OptionError && error.problems.length === 6,
    )
  })
})
