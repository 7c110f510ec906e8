import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, it } from 'mocha'
import { concatMap, delay, EMPTY, map, type OperatorFunction, of, throwError } from 'rxjs'
import { type Problem, type ServeFailure, type ServeOptions, type Service, serve } from '../../../lib/connectors/http'
import { OptionError } from '../../../lib/errors'
import type { Handler } from '../../../lib/pool/handler'
import { FakeHandler } from '../fakeHandler'

interface Reply {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

describe('serve', () => {
  let service: Service | undefined
  afterEach(() => service?.close({ timeout: 100 }))

  async function start(
    what: FakeHandler | OperatorFunction<unknown, unknown>,
    options: ServeOptions = {},
  ): Promise<Service> {
    const handler = what as unknown as Handler
    service = await serve(handler, { port: 0, ...options })
    return service
  }

  /** POSTs to the service; with `raw` the body as it is. */
  function post(body: unknown, how: { path?: string; type?: string; raw?: boolean; agent?: Agent } = {}) {
    return ask('POST', how.path ?? '/', how.raw ? (body as string | Buffer) : JSON.stringify(body), how)
  }

  function ask(
    method: string,
    path: string,
    body?: string | Buffer,
    { type = 'application/json', agent }: { type?: string; agent?: Agent } = {},
  ) {
    return new Promise<Reply>((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }
      const outgoing = request({ port: service!.port, host: '127.0.0.1', method, path, headers, agent }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: response.statusCode!, headers: response.headers, text })
        })
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  const doubling = () =>
    new FakeHandler({ codec: 'json', answer: (items) => items.map((item) => (item as { x: number }).x * 2) })

  /** A handler that fails where a record says so. */
  const picky = () =>
    new FakeHandler({
      codec: 'json',
      answer: (items) => {
        if (items.some((item) => item === 'bad')) throw new RangeError('a bad one')
        return items.map((item) => `${item}!`)
      },
    })

  it('answers a record with its result, and a list with a list', async () => {
    await start(doubling())
    const one = await post({ x: 4 })
    assert.deepEqual([one.status, one.headers['content-type'], one.text], [200, 'application/json', '8'])
    assert.equal((await post([{ x: 1 }, { x: 2 }])).text, '[2,4]')
    assert.equal((await post([])).text, '[]')
  })

  it('takes an array for one record where it is told to', async () => {
    await start(new FakeHandler({ codec: 'json', answer: (items) => items.map((item) => (item as []).length) }), {
      body: 'record',
    })
    assert.equal((await post([5, 6, 7])).text, '3')
  })

  it('puts requests that wait for a busy interpreter into one batch, and gives each its own result', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake)
    const first = post('first')
    while (fake.calls.length < 1) await sleep(1)
    const others = Array.from({ length: 20 }, (_, i) => post(`r${i}`))
    while (service!.metrics.waiting < 21) await sleep(1)
    assert.equal(fake.calls.length, 1)
    fake.calls[0]!.resolve(['FIRST'])
    assert.equal((await first).text, '"FIRST"')
    while (fake.calls.length < 2) await sleep(1)
    const { items } = fake.calls[1]!
    assert.equal(items.length, 20)
    fake.calls[1]!.resolve(items.map((item) => `${item}'s`))
    assert.deepEqual(
      (await Promise.all(others)).map(({ text }) => JSON.parse(text)),
      Array.from({ length: 20 }, (_, i) => `r${i}'s`),
    )
  })

  it('fails only the request that makes its batch fail, with a problem that says where', async () => {
    const failures: ServeFailure[] = []
    const fake = picky()
    await start(fake, { failures: (failure) => failures.push(failure), expose: true })
    const agent = new Agent({ keepAlive: true })
    const replies = await Promise.all(['a', 'bad', 'b', ['c', 'bad'], ['d', 'e']].map((body) => post(body, { agent })))
    agent.destroy()
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 500, 200, 500, 200],
    )
    assert.equal(replies[1]!.headers['content-type'], 'application/problem+json')
    assert.deepEqual(JSON.parse(replies[1]!.text), {
      status: 500,
      title: 'Internal Server Error',
      detail: 'a bad one',
    })
    assert.equal((JSON.parse(replies[3]!.text) as Problem).index, 1)
    assert.equal(replies[4]!.text, '["d!","e!"]')
    assert.equal(failures.length, 2)
    assert.ok(failures.every(({ error, status }) => error instanceof RangeError && status === 500))
  })

  it('fails all requests of a batch where the handler must not be called again', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake, { isolateErrors: false })
    const first = post('first')
    while (fake.calls.length < 1) await sleep(1)
    const others = [post('a'), post('b')]
    while (service!.metrics.waiting < 3) await sleep(1)
    fake.calls[0]!.resolve([1])
    while (fake.calls.length < 2) await sleep(1)
    fake.calls[1]!.reject(new Error('secret'))
    assert.equal((await first).status, 200)
    for (const reply of await Promise.all(others)) {
      assert.equal(reply.status, 500)
      assert.ok(!reply.text.includes('secret'))
    }
    assert.equal(fake.calls.length, 2)
  })

  it('lets a function choose the status', async () => {
    await start(picky(), { status: (error) => (error instanceof RangeError ? 422 : undefined) })
    const { status, text } = await post('bad')
    assert.equal(status, 422)
    assert.equal((JSON.parse(text) as Problem).detail, 'the record was refused')
  })

  it('says what is wrong with a request', async () => {
    await start(doubling(), { path: '/predict', maxBody: 100, maxRecords: 3 })
    const path = '/predict'
    const statuses = [
      await ask('POST', '/elsewhere', '1'),
      await ask('GET', path),
      await post('{"x":', { path, raw: true }),
      await post('<x/>', { path, raw: true, type: 'text/xml' }),
      await post([1, 2, 3, 4], { path }),
      await post({ x: 'x'.repeat(200) }, { path }),
    ]
    assert.deepEqual(
      statuses.map(({ status }) => status),
      [404, 405, 400, 415, 413, 413],
    )
    assert.equal(statuses[1]!.headers.allow, 'POST')
    for (const { text, headers, status } of statuses) {
      assert.equal(headers['content-type'], 'application/problem+json')
      assert.equal((JSON.parse(text) as Problem).status, status)
    }
    assert.equal((await post({ x: 1 }, { path })).text, '2')
  })

  it('stops reading a body that is longer than it said, or than it may be', async () => {
    await start(doubling(), { maxBody: 1000 })
    const socket = connect(service!.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n')
    for (let i = 0; i < 3; i++) socket.write(`1f4\r\n${'x'.repeat(500)}\r\n`)
    const [reply] = (await once(socket, 'data')) as [Buffer]
    assert.match(reply.toString(), /^HTTP\/1\.1 413 /)
    socket.destroy()
    while (service!.metrics.inFlight > 0) await sleep(1)
    assert.equal(service!.metrics.waitingBytes, 0)
  })

  it('answers 503 with Retry-After while more records wait than may, and goes on afterwards', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake, { maxWaiting: 3, retryAfter: 7 })
    const taken = [post('a'), post('b'), post('c')]
    while (service!.metrics.waiting < 3) await sleep(1)
    const refused = await post('d')
    assert.deepEqual([refused.status, refused.headers['retry-after']], [503, '7'])
    while (fake.calls.length < 2) {
      fake.calls[0]?.resolve(fake.calls[0].items)
      await sleep(1)
    }
    fake.calls[1]!.resolve(fake.calls[1]!.items)
    assert.deepEqual(
      (await Promise.all(taken)).map(({ status }) => status),
      [200, 200, 200],
    )
    const late = post('e')
    while (fake.calls.length < 3) await sleep(1)
    fake.calls[2]!.resolve(['E'])
    assert.equal((await late).text, '"E"')
  })

  it('answers 504 when an answer takes too long, and does not compute what nobody waits for', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake, { answerTimeout: 50 })
    const replies = await Promise.all([post('a'), sleep(10).then(() => post('b'))])
    assert.deepEqual(
      replies.map(({ status }) => status),
      [504, 504],
    )
    fake.calls[0]!.resolve(fake.calls[0]!.items)
    const next = post('c')
    while (fake.calls.length < 2) await sleep(1)
    assert.deepEqual(fake.calls[1]!.items, ['c'])
    fake.calls[1]!.resolve(['C'])
    assert.equal((await next).text, '"C"')
  })

  it('forgets clients that have gone', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake)
    const outgoing = request({ port: service!.port, method: 'POST', path: '/' })
    outgoing.on('error', () => {})
    outgoing.end('1')
    while (fake.calls.length < 1) await sleep(1)
    outgoing.destroy()
    while (service!.metrics.gone < 1) await sleep(1)
    fake.calls[0]!.resolve([1])
    assert.deepEqual([service!.metrics.inFlight, service!.metrics.waiting], [0, 0])
  })

  it('answers what it has when it closes, then nobody', async () => {
    const fake = new FakeHandler({ codec: 'json' })
    await start(fake)
    const agent = new Agent({ keepAlive: true })
    const waiting = post('a', { agent })
    while (fake.calls.length < 1) await sleep(1)
    const closed = service!.close()
    assert.equal(service!.ready, false)
    await sleep(10)
    fake.calls[0]!.resolve(['A'])
    const reply = await waiting
    assert.deepEqual([reply.status, reply.text, reply.headers.connection], [200, '"A"', 'close'])
    await closed
    agent.destroy()
    await assert.rejects(post('b'), { code: 'ECONNREFUSED' })
  })

  it('cuts off what takes longer than closing may', async () => {
    await start(new FakeHandler({ codec: 'json' }))
    const waiting = post('a')
    while (service!.metrics.waiting < 1) await sleep(1)
    const began = performance.now()
    const [reply] = await Promise.allSettled([waiting, service!.close({ timeout: 50 })])
    assert.ok(performance.now() - began < 5000)
    assert.ok(reply.status === 'rejected' || reply.value.status === 503)
  })

  it('refuses requests once its pool has drained, and says that it is not ready', async () => {
    const fake = doubling()
    await start(fake)
    assert.equal((await ask('GET', '/ready')).status, 200)
    void fake.streams.finish()
    assert.equal((await ask('GET', '/ready')).status, 503)
    assert.equal((await ask('GET', '/health')).status, 200)
    assert.equal((await post({ x: 1 })).status, 503)
  })

  it('counts in the format of Prometheus', async () => {
    await start(doubling())
    await post({ x: 1 })
    await post([{ x: 1 }, { x: 2 }])
    await post('{', { raw: true })
    const { text, headers } = await ask('GET', '/metrics')
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
    assert.match(text, /^rxjs_python_http_requests_total\{status="200"\} 2$/m)
    assert.match(text, /^rxjs_python_http_requests_total\{status="400"\} 1$/m)
    assert.match(text, /^rxjs_python_http_records_total 3$/m)
    assert.match(text, /^rxjs_python_batch_items_total 3$/m)
    assert.match(text, /^rxjs_python_http_request_seconds_bucket\{le="\+Inf"\} 3$/m)
    for (const line of text.trimEnd().split('\n')) assert.match(line, /^(# (HELP|TYPE) .+|[a-z_]+(\{.+\})? [\d.e+-]+)$/)
  })

  it('keeps connections alive', async () => {
    await start(doubling())
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    for (let i = 0; i < 5; i++) assert.equal((await post({ x: i }, { agent })).text, String(2 * i))
    assert.equal(Object.values(agent.freeSockets).flat().length, 1)
    agent.destroy()
  })

  it('carries texts with the codec string, and bytes with the codec buffer', async () => {
    await start(
      new FakeHandler({ codec: 'string', answer: (items) => items.map((item) => String(item).toUpperCase()) }),
    )
    assert.equal((await post('hé', { raw: true, type: 'text/plain' })).text, 'HÉ')
    assert.equal((await post(['a', 'b'])).text, '["A","B"]')
    assert.equal((await post([1])).status, 422)
    await service!.close()
    await start(
      new FakeHandler({ codec: 'buffer', answer: (items) => items.map((item) => (item as Buffer).subarray(1)) }),
    )
    const reply = await post(Buffer.from([1, 2, 3]), { raw: true, type: 'application/octet-stream' })
    assert.equal(reply.headers['content-type'], 'application/octet-stream')
    assert.equal(reply.text, '\x02\x03')
  })

  it('is a listener for a server of somebody else', async () => {
    await start(doubling(), { listen: false, path: '/double' })
    const server = createServer(service!.listener).listen(0)
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const reply = await fetch(`http://127.0.0.1:${port}/double`, { method: 'POST', body: '{"x":21}' })
    assert.equal(reply.status, 415) // fetch says text/plain
    const second = await fetch(`http://127.0.0.1:${port}/double`, {
      method: 'POST',
      body: '{"x":21}',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(await second.json(), 42)
    server.close()
    server.closeAllConnections()
  })

  it('names all that is wrong with its options', async () => {
    const wrong = { port: -1, path: 'x', batch: 0, codec: 'array', maxBody: 0, status: 1, monitor: { ready: 'r' } }
    await assert.rejects(serve('a:b', wrong as never), (error: OptionError) => {
      assert.ok(error instanceof OptionError)
      for (const name of ['port', 'path', 'batch', 'array', 'maxBody', 'status', 'monitor.ready']) {
        assert.ok(
          error.problems.some((problem) => problem.includes(name)),
          `${name} in ${error.problems}`,
        )
      }
      return true
    })
    await assert.rejects(serve(5 as never), OptionError)
    await assert.rejects(serve('a:b', { path: '/health' }), /same path/)
  })

  describe('of an operator', () => {
    it('gives each request its result', async () => {
      await start((records) => records.pipe(map((x) => Number(x) + 1)))
      const replies = await Promise.all([1, [2, 3], 4].map((body) => post(body)))
      assert.deepEqual(
        replies.map(({ text }) => text),
        ['2', '[3,4]', '5'],
      )
    })

    it('never gives a request the result of another one', async () => {
      // Leaves 3 out, so that whatever comes with it would get its neighbours' results.
      const leaky: OperatorFunction<unknown, unknown> = (records) =>
        records.pipe(concatMap((x) => (x === 3 ? EMPTY : of(x).pipe(delay(1)))))
      await start(leaky)
      const replies = await Promise.all([1, 2, 3, 4, 5].map((body) => post(body)))
      assert.deepEqual(
        replies.map(({ status }) => status),
        [200, 200, 500, 200, 200],
      )
      for (const [at, { text }] of replies.entries()) if (at !== 2) assert.equal(text, String(at + 1))
    })

    it('goes on after an error', async () => {
      await start((records) => records.pipe(concatMap((x) => (x === 0 ? throwError(() => new Error('zero')) : of(x)))))
      assert.equal((await post(0)).status, 500)
      assert.equal((await post(1)).text, '1')
    })

    it('ends a batch that takes too long', async () => {
      await start((records) => records.pipe(concatMap((x) => (x === 0 ? of(x).pipe(delay(60_000)) : of(x)))), {
        timeout: 30,
      })
      assert.equal((await post(0)).status, 504)
      assert.equal((await post(1)).text, '1')
    })
  })
})
