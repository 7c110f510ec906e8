import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type JetStreamManager, jetstream, jetstreamManager, type StreamConfig } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { it } from 'mocha'
import { lastValueFrom, Subject, take, toArray } from 'rxjs'
import { type NatsSourceOptions, natsSink, natsSource } from '../../lib/connectors/nats'
import { ConnectionError } from '../../lib/errors'
import { fromSource, replay, type Source, toSink } from '../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import { definition, installation, PASSWORD, urlOf } from './servers/nats'
import { describeService } from './service'

interface Item {
  at: number
  text: string
}

const item = (at: number): Item => ({ at, text: `item ${at} ü` })
const items = (count: number) => Array.from({ length: count }, (_, at) => item(at))
const retry = { initial: 20, max: 300 }

/** A stream of its own, and a plain client that connects for each question, so that it outlives the server. */
async function outside(server: Server, config: Partial<StreamConfig> = {}) {
  const url = urlOf(server.place)
  const stream = `stream-${randomUUID()}`
  const ask = async <R>(act: (tools: Awaited<ReturnType<typeof open>>) => Promise<R>): Promise<R> => {
    const tools = await open()
    try {
      return await act(tools)
    } finally {
      await tools.connection.close()
    }
  }
  const open = async () => {
    const connection = await connect({ servers: `127.0.0.1:${server.port}`, user: 'tester', pass: PASSWORD })
    return {
      connection,
      client: jetstream(connection),
      manager: (await jetstreamManager(connection)) as JetStreamManager,
    }
  }
  await ask(({ manager }) => manager.streams.add({ name: stream, subjects: [`${stream}.*`], ...config }))
  const send = (texts: readonly string[], subject = `${stream}.a`) =>
    ask(async ({ client }) => void (await Promise.all(texts.map((text) => client.publish(subject, text)))))
  return {
    url,
    stream,
    ask,
    send,
    put: (more: readonly unknown[]) => send(more.map((one) => JSON.stringify(one))),
    contents: () =>
      ask(async ({ manager }) => {
        const { first_seq: first, last_seq: last } = (await manager.streams.info(stream)).state
        const found: Promise<Item>[] = []
        for (let seq = first; seq <= last; seq++) {
          found.push(manager.streams.getMessage(stream, { seq }).then((message) => message!.json<Item>()))
        }
        return Promise.all(found)
      }),
    /** How many a consumer has still to see acknowledged: on their way, or not given out. */
    left: (consumer: string) =>
      ask(async ({ manager }) => {
        const { num_pending: pending, num_ack_pending: given } = await manager.consumers.info(stream, consumer)
        return pending + given
      }),
  }
}

async function interrupt(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

describeService('NATS JetStream', { installation, definition }, (server) => {
  const subjectOf = (options: NatsSourceOptions<Item>, replays: boolean) => async () => {
    const { url, stream, put, send } = await outside(server())
    let letters = 0
    const all = { url, retry, deadLetters: () => void letters++, ...options }
    return {
      open: () => natsSource<Item>(stream, all as NatsSourceOptions<Item> & { consumer: string }) as Source<Item>,
      put,
      putBad: () => send(['{"at":']),
      letters: () => letters,
      item,
      ends: false,
      replays,
      // A server sends again what was given back in whatever order its timers ran out.
      reorders: !replays,
      interrupt: () => interrupt(server()),
    }
  }
  const demanding = { interrupts: true, refuses: true, patience: 100_000 }
  sourceConformance('natsSource', subjectOf({}, true), demanding)
  sourceConformance('natsSource of a consumer', subjectOf({ consumer: 'readers', ackWait: 2_000 }, false), demanding)

  sinkConformance(
    'natsSink',
    async () => {
      const { url, stream, contents } = await outside(server())
      return {
        open: () => natsSink<Item>(`${stream}.a`, { url, retry, batch: 30 }),
        item,
        contents,
        guarantee: 'at-least-once',
        interrupt: () => interrupt(server()),
      }
    },
    { interrupts: true, patience: 100_000 },
  )

  it('acknowledge when they are told, and give back at once what they did not', async () => {
    const { url, stream, put, left } = await outside(server())
    await put(items(100))
    // Much longer than the test may take: what comes again was given back.
    const options = { url, consumer: 'readers', ackWait: 3_600_000 }
    const reading = fromSource(natsSource<Item>(stream, options)).pipe(take(100), toArray())
    assert.equal((await lastValueFrom(reading)).length, 100)
    assert.equal(await left('readers'), 100)
    const read = (count: number) =>
      lastValueFrom(fromSource(natsSource<Item>(stream, options), { acknowledge: true }).pipe(take(count), toArray()))
    const first = await read(60)
    while ((await left('readers')) !== 40) await sleep(20)
    const numbers = [...first, ...(await read(40))].map(({ at }) => at)
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      items(100).map(({ at }) => at),
    )
  })

  it('give what a reader that died was given to others', async () => {
    const { url, stream, put, ask } = await outside(server())
    await put(items(50))
    const options = { url, consumer: 'readers', ackWait: 500 }
    await ask(async ({ client, manager }) => {
      await manager.consumers.add(stream, {
        durable_name: 'readers',
        ack_policy: 'explicit',
        ack_wait: 500e6,
      })
      // It takes them, and is never heard of again.
      const consumer = await client.consumers.get(stream, 'readers')
      let count = 0
      for await (const _ of await consumer.fetch({ max_messages: 50 })) if (++count === 50) break
    })
    const reading = fromSource(natsSource<Item>(stream, options), { acknowledge: true }).pipe(take(50), toArray())
    assert.deepEqual(
      (await lastValueFrom(reading)).map(({ at }) => at).sort((a, b) => a - b),
      items(50).map(({ at }) => at),
    )
  })

  it('keep messages that wait here for longer than the server does', async () => {
    const { url, stream, put } = await outside(server())
    await put(items(30))
    const source = natsSource<Item>(stream, { url, consumer: 'readers', ackWait: 600 })
    const seen: number[] = []
    for await (const [{ at }, position] of source.read(undefined)) {
      seen.push(at)
      if (seen.length % 10 === 0) await sleep(900)
      if (seen.length === 30) {
        await sleep(900)
        await source.commit?.(position)
        break
      }
    }
    await source.close?.()
    assert.deepEqual(
      seen,
      items(30).map(({ at }) => at),
    )
  })

  it('go on where more has come than may be unacknowledged, and share a consumer', async () => {
    const { url, stream, put, left } = await outside(server())
    await put(items(500))
    const options = { url, consumer: 'readers', prefetch: 20 }
    const alone = fromSource(natsSource<Item>(stream, options), { acknowledge: true, every: 60_000 })
    assert.deepEqual(await lastValueFrom(alone.pipe(take(300), toArray())), items(300))
    const over = new AbortController()
    const shares = await Promise.all(
      [0, 1]
        .map(() => {
          const source = natsSource<Item>(stream, { ...options, batch: 5, signal: over.signal })
          const seen = lastValueFrom(fromSource(source, { acknowledge: true, every: 20 }).pipe(toArray()))
          return seen
        })
        .concat(
          (async () => {
            while ((await left('readers')) > 0) await sleep(50)
            over.abort()
            return []
          })(),
        ),
    )
    assert.deepEqual(
      new Set(shares.flat().map(({ at }) => at)),
      new Set(
        items(500)
          .slice(300)
          .map(({ at }) => at),
      ),
    )
  })

  it('begin where they are told to, read some subjects, and end where they are told to', async () => {
    const { url, stream, send } = await outside(server())
    await send(items(5).map((one) => JSON.stringify(one)))
    await send([JSON.stringify(item(9))], `${stream}.b`)
    const read = (options: object) =>
      lastValueFrom(fromSource(natsSource<Item>(stream, { url, end: true, ...options })).pipe(toArray()))
    assert.deepEqual(await read({}), [...items(5), item(9)])
    assert.deepEqual(await read({ start: 4 }), [...items(5).slice(3), item(9)])
    assert.deepEqual(await read({ start: 'new' }), [])
    assert.deepEqual(await read({ start: new Date(0), filter: `${stream}.b` }), [item(9)])
  })

  it('publish a value once for each of its ids, and to subjects of its own', async () => {
    const { url, stream, contents } = await outside(server())
    const target = ({ at }: Item) => `${stream}.${at % 2}`
    const write = (count: number) =>
      lastValueFrom(
        fromSource(replay(items(count))).pipe(toSink(natsSink<Item>(target, { url, id: ({ at }) => `${at}` }))),
      )
    assert.equal(await write(20), 20)
    assert.equal(await write(30), 30)
    const found = await contents()
    assert.deepEqual(
      found.map(({ at }) => at).sort((a, b) => a - b),
      items(30).map(({ at }) => at),
    )
  })

  it('make streams, and tell of messages that no stream takes', async () => {
    const { url, ask } = await outside(server(), { max_msg_size: 1_000 })
    const name = `made-${randomUUID()}`
    const letters: unknown[] = []
    const deadLetters = new Subject<{ record: unknown; error: unknown }>()
    deadLetters.subscribe(({ error }) => letters.push(String(error)))
    const target = ({ at }: Item) => (at === 3 ? `nobody-${name}` : `${name}.all`)
    const declare = { name, subjects: [`${name}.*`], max_msg_size: 1_000 }
    const sink = natsSink<Item>(target, { url, declare, deadLetters })
    const large = { at: 7, text: 'x'.repeat(2_000) }
    const huge = { at: 8, text: 'x'.repeat(300_000) }
    await lastValueFrom(fromSource(replay([item(1), item(3), large, huge, item(4)])).pipe(toSink(sink)))
    assert.equal(letters.length, 3)
    assert.match(letters.join(), /no stream takes the subject nobody/)
    assert.equal((await ask(({ manager }) => manager.streams.info(name))).state.messages, 2)
    const source = natsSource<Item>(`${name}-2`, { url, declare: { subjects: [`${name}-2.*`] }, end: true })
    assert.deepEqual(await lastValueFrom(fromSource(source).pipe(toArray())), [])
  })

  it('end with the first bad record where they are told to', async () => {
    const { url, stream, send } = await outside(server())
    await send(['{"at":'])
    const options = { url, deadLetters: 'error' } as const
    for (const source of [
      natsSource<Item>(stream, options),
      natsSource<Item>(stream, { ...options, consumer: 'readers' }),
    ]) {
      await assert.rejects(lastValueFrom(fromSource(source as Source<unknown>)), SyntaxError)
    }
  })

  it('say what is wrong at once, without the password', async () => {
    const { url, stream, ask } = await outside(server())
    const failing = (source: Source<unknown>) => lastValueFrom(fromSource(source))
    const wrong = url.replace(PASSWORD, 'wrong-password-7')
    await assert.rejects(failing(natsSource(stream, { url: wrong })), (error: Error) => {
      assert.match(error.message, /authorization/i)
      assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /wrong-password-7/)
      return true
    })
    await assert.rejects(failing(natsSource('no-such-stream', { url })), /stream not found/)
    await assert.rejects(
      lastValueFrom(fromSource(replay([1])).pipe(toSink(natsSink('nobody.takes.it', { url })))),
      /no stream takes the subject/,
    )
    await ask(({ manager }) => manager.consumers.add(stream, { durable_name: 'all', ack_policy: 'all' }))
    await assert.rejects(failing(natsSource(stream, { url, consumer: 'all' })), {
      code: 'ERR_QUEUE_SETUP',
      message: /acknowledge each message/,
    })
    const nowhere = natsSource(stream, { url: 'nats://a:geheim@127.0.0.1:1', retry: { attempts: 2, initial: 1 } })
    await assert.rejects(failing(nowhere), (error: Error) => {
      assert.ok(error instanceof ConnectionError)
      assert.doesNotMatch(error.message, /geheim/)
      return true
    })
  })

  it('check their options, all at once', () => {
    assert.throws(
      () => natsSource('a.b', { prefetch: 0, start: 'last', end: true, url: [] } as never),
      /5 options are wrong/,
    )
    assert.throws(() => natsSink('orders.*', { declare: {}, id: 1, client: 2 } as never), /4 options are wrong/)
  })
})
