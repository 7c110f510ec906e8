import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { it } from 'mocha'
import rhea, { type Connection, type Message, type Receiver, type Sender } from 'rhea'
import { lastValueFrom, take, toArray } from 'rxjs'
import { amqpSink, amqpSource } from '../../lib/connectors/amqp'
import { ConnectionError } from '../../lib/errors'
import { fromSource, replay, toSink } from '../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import { definition, installation, PASSWORD, urlOf } from './servers/artemis'
import { describeService } from './service'

interface Item {
  at: number
  text: string
}

const item = (at: number): Item => ({ at, text: `item ${at} ü` })
const items = (count: number) => Array.from({ length: count }, (_, at) => item(at))
const retry = { initial: 50, max: 500 }

/** A plain client that connects for each question, so that it outlives the server. */
async function withClient<R>(server: Server, act: (connection: Connection) => Promise<R>): Promise<R> {
  const connection = rhea.create_container({}).connect({
    ...{ host: '127.0.0.1', port: server.port, username: 'tester', password: PASSWORD, reconnect: false },
    session_buffer_size: { incoming: 10_000, outgoing: 2_000 },
  } as never)
  connection.on('disconnected', () => {})
  await new Promise<void>((resolve, reject) => {
    connection.once('connection_open', () => resolve())
    connection.once('disconnected', () => reject(new Error('the client was disconnected')))
  })
  try {
    return await act(connection)
  } finally {
    const closed = new Promise((resolve) => connection.once('connection_close', resolve))
    connection.close()
    await closed
  }
}

/** A queue of its own. */
function outside(server: Server) {
  const url = urlOf(server.place)
  const queue = `queue-${randomUUID()}`
  const target = { address: queue, capabilities: ['queue'] } as never
  const sendMessages = (messages: readonly Message[]) =>
    withClient(server, async (connection) => {
      const sender: Sender = connection.open_sender({ target })
      let [next, accepted] = [0, 0]
      await new Promise<void>((resolve) => {
        const more = () => {
          while (next < messages.length && sender.sendable()) sender.send({ durable: true, ...messages[next++]! })
        }
        sender.on('sendable', more)
        sender.on('accepted', () => {
          if (++accepted === messages.length) resolve()
          else more()
        })
      })
    })
  const send = (texts: readonly string[]) => sendMessages(texts.map((body) => ({ body })))
  return {
    url,
    queue,
    send,
    sendMessages,
    put: (more: readonly unknown[]) => send(more.map((one) => JSON.stringify(one))),
    /** What is in the queue, which is left as it is. */
    messages: () =>
      withClient(server, async (connection) => {
        const found: Message[] = []
        const source = { address: queue, capabilities: ['queue'], distribution_mode: 'copy' } as never
        const receiver: Receiver = connection.open_receiver({ source, credit_window: 0 })
        receiver.on('message', ({ message }) => found.push(message!))
        // The broker answers when it has looked through a part: all is there when it has twice found nothing more.
        for (let idle = 0; idle < 2; ) {
          const before = found.length
          receiver.add_credit(5_000)
          receiver.drain_credit()
          await new Promise((resolve) => receiver.once('receiver_drained', resolve))
          idle = found.length === before ? idle + 1 : 0
        }
        return found
      }),
  }
}

const bodies = (messages: readonly Message[]) => messages.map(({ body }) => JSON.parse(String(body)) as Item)

async function interrupt(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

describeService('AMQP 1.0', { installation, definition }, (server) => {
  sourceConformance(
    'amqpSource',
    () => {
      const { url, queue, put, send } = outside(server())
      let letters = 0
      return {
        open: () => amqpSource<Item>(queue, { url, retry, prefetch: 300, deadLetters: () => void letters++ }),
        put,
        putBad: () => send(['{"at":']),
        letters: () => letters,
        item,
        ends: false,
        replays: false,
        interrupt: () => interrupt(server()),
      }
    },
    { interrupts: true, refuses: true, patience: 100_000 },
  )

  sinkConformance(
    'amqpSink',
    () => {
      const { url, queue, messages } = outside(server())
      return {
        open: () => amqpSink<Item>(queue, { url, retry, batch: 30 }),
        item,
        contents: async () => bodies(await messages()),
        guarantee: 'at-least-once',
        interrupt: () => interrupt(server()),
      }
    },
    { interrupts: true, patience: 100_000 },
  )

  it('acknowledge when they are told, and give back what they did not', async () => {
    const { url, queue, put, messages } = outside(server())
    await put(items(100))
    const read = (count: number, acknowledge: boolean) =>
      lastValueFrom(fromSource(amqpSource<Item>(queue, { url }), { acknowledge }).pipe(take(count), toArray()))
    assert.deepEqual(await read(100, false), items(100))
    while ((await messages()).length < 100) await sleep(20)
    assert.deepEqual(await read(60, true), items(60))
    while ((await messages()).length !== 40) await sleep(20)
    assert.deepEqual(bodies(await messages()), items(100).slice(60))
  })

  it('go on where more has come than may be unacknowledged, and share a queue', async () => {
    const { url, queue, put, messages } = outside(server())
    await put(items(500))
    const alone = fromSource(amqpSource<Item>(queue, { url, prefetch: 20 }), { acknowledge: true, every: 60_000 })
    assert.deepEqual(await lastValueFrom(alone.pipe(take(300), toArray())), items(300))
    const over = new AbortController()
    const shares = [0, 1].map(() => {
      const source = amqpSource<Item>(queue, { url, prefetch: 20, signal: over.signal })
      return lastValueFrom(fromSource(source, { acknowledge: true, every: 20 }).pipe(toArray()))
    })
    const seen = Promise.all(shares)
    while ((await messages()).length > 0) await sleep(50)
    over.abort()
    assert.deepEqual(
      new Set((await seen).flat().map(({ at }) => at)),
      new Set(
        items(500)
          .slice(300)
          .map(({ at }) => at),
      ),
    )
  })

  it('carry texts, bytes and what programs with JMS send, and select by properties', async () => {
    const { url, queue, sendMessages, messages } = outside(server())
    const properties = ({ at }: Item) => ({
      content_type: 'application/json',
      application_properties: { even: at % 2 === 0 },
    })
    await lastValueFrom(fromSource(replay(items(4))).pipe(toSink(amqpSink<Item>(queue, { url, message: properties }))))
    assert.deepEqual(bodies(await messages()), items(4))
    const read = <T>(options: object, count: number) =>
      lastValueFrom(
        fromSource(amqpSource<T>(queue, { url, ...options }), { acknowledge: true }).pipe(take(count), toArray()),
      )
    assert.deepEqual(await read({ selector: 'even = FALSE' }, 2), [item(1), item(3)])
    assert.deepEqual(await read({ selector: 'even = TRUE' }, 2), [item(0), item(2)])
    const bytes = Buffer.from([0, 255, 10])
    await lastValueFrom(fromSource(replay([bytes])).pipe(toSink(amqpSink<Uint8Array>(queue, { url, codec: 'buffer' }))))
    await sendMessages([{ body: bytes }, { body: 'ä' }, { body: { a: 1 } }])
    const texts = (await read<Buffer>({ codec: 'buffer' }, 4)).map((one) => Buffer.from(one).toString('latin1'))
    assert.deepEqual(
      texts,
      [bytes, bytes, Buffer.from('ä'), Buffer.from('{"a":1}')].map((one) => one.toString('latin1')),
    )
  })

  it('give each reader of a topic all messages, and keep those of a subscription', async () => {
    const { url } = outside(server())
    const topic = `topic-${randomUUID()}`
    const options = { url, kind: 'topic', subscription: 'mine', client: { container_id: `me-${topic}` } } as const
    const read = (count: number) =>
      lastValueFrom(fromSource(amqpSource<Item>(topic, options), { acknowledge: true }).pipe(take(count), toArray()))
    const write = (at: number) =>
      lastValueFrom(fromSource(replay([item(at)])).pipe(toSink(amqpSink<Item>(topic, { url, kind: 'topic' }))))
    const all = fromSource(amqpSource<Item>(topic, { url, kind: 'topic' }), { acknowledge: true }).pipe(take(1))
    const both = Promise.all([lastValueFrom(all), read(1)])
    let sent = 0
    // Until both of them are there, and have seen one.
    while ((await Promise.race([both, sleep(50, undefined)])) === undefined) await write(sent++)
    await write(sent)
    for (let seen = -1; seen !== sent; ) seen = (await read(1))[0]!.at
  })

  it('end with the first bad record where they are told to', async () => {
    const { url, queue, send } = outside(server())
    await send(['{"at":'])
    const source = amqpSource<Item>(queue, { url, deadLetters: 'error' })
    await assert.rejects(lastValueFrom(fromSource(source)), SyntaxError)
  })

  it('say what is wrong at once, without the password', async () => {
    const { url, queue } = outside(server())
    const failing = (source: ReturnType<typeof amqpSource>) => lastValueFrom(fromSource(source))
    const wrong = url.replace(PASSWORD, 'wrong-password-7')
    await assert.rejects(failing(amqpSource(queue, { url: wrong })), (error: Error) => {
      assert.match(error.message, /authenticate/)
      assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /wrong-password-7/)
      return true
    })
    await assert.rejects(failing(amqpSource('kept.no-such-queue', { url })), { code: 'ERR_QUEUE_SETUP' })
    const sink = amqpSink('kept.no-such-queue', { url })
    await assert.rejects(lastValueFrom(fromSource(replay([1])).pipe(toSink(sink))), { code: 'ERR_QUEUE_SETUP' })
    const nowhere = amqpSource(queue, { url: 'amqp://a:geheim@127.0.0.1:1', retry: { attempts: 2, initial: 1 } })
    await assert.rejects(failing(nowhere), (error: Error) => {
      assert.ok(error instanceof ConnectionError)
      assert.doesNotMatch(error.message, /geheim/)
      return true
    })
  })

  it('check their options, all at once', () => {
    assert.throws(
      () => amqpSource('', { prefetch: 0, kind: 'stack', url: 'http://a', subscription: 's' } as never),
      /7 options are wrong/,
    )
    assert.throws(() => amqpSink('q', { message: 1, client: 2 } as never), /2 options are wrong/)
  })
})
