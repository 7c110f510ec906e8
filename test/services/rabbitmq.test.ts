import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import { it } from 'mocha'
import { lastValueFrom, Subject, take, toArray } from 'rxjs'
import { rabbitSink, rabbitSource } from '../../lib/connectors/rabbitmq'
import { ConnectionError } from '../../lib/errors'
import { fromSource, replay, toSink } from '../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import { definition, installation, PASSWORD, urlOf } from './servers/rabbitmq'
import { describeService } from './service'

interface Item {
  at: number
  text: string
}

const item = (at: number): Item => ({ at, text: `item ${at} ü` })
const items = (count: number) => Array.from({ length: count }, (_, at) => item(at))
const retry = { initial: 50, max: 500 }

/** A queue of its own, and a plain client that connects for each question, so that it outlives the server. */
async function outside(server: Server) {
  const url = urlOf(server.place)
  const queue = `queue-${randomUUID()}`
  const ask = async <R>(act: (channel: Awaited<ReturnType<typeof open>>['channel']) => Promise<R>): Promise<R> => {
    const { connection, channel } = await open()
    try {
      return await act(channel)
    } finally {
      await connection.close()
    }
  }
  const open = async () => {
    const connection = await connect(url)
    connection.on('error', () => {})
    return { connection, channel: await connection.createConfirmChannel() }
  }
  await ask((channel) => channel.assertQueue(queue, { durable: true }))
  const send = (texts: readonly string[]) =>
    ask(async (channel) => {
      for (const text of texts) channel.sendToQueue(queue, Buffer.from(text), { persistent: true })
      await channel.waitForConfirms()
    })
  return {
    url,
    queue,
    ask,
    send,
    put: (more: readonly unknown[]) => send(more.map((one) => JSON.stringify(one))),
    /** What is in the queue, which is left as it is. */
    contents: () =>
      ask(async (channel) => {
        const found: Item[] = []
        for (let message = await channel.get(queue); message; message = await channel.get(queue)) {
          found.push(JSON.parse(message.content.toString()) as Item)
        }
        return found
      }),
    count: () => ask(async (channel) => (await channel.checkQueue(queue)).messageCount),
  }
}

async function interrupt(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

describeService('RabbitMQ', { installation, definition }, (server) => {
  sourceConformance(
    'rabbitSource',
    async () => {
      const { url, queue, put, send } = await outside(server())
      let letters = 0
      return {
        open: () => rabbitSource<Item>(queue, { url, retry, prefetch: 300, deadLetters: () => void letters++ }),
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
    'rabbitSink',
    async () => {
      const { url, queue, contents } = await outside(server())
      return {
        open: () => rabbitSink<Item>(queue, { url, retry, batch: 30 }),
        item,
        contents,
        guarantee: 'at-least-once',
        interrupt: () => interrupt(server()),
      }
    },
    { interrupts: true, patience: 100_000 },
  )

  it('acknowledge when they are told, and give back what they did not', async () => {
    const { url, queue, put, count } = await outside(server())
    await put(items(100))
    assert.equal(
      (await lastValueFrom(fromSource(rabbitSource<Item>(queue, { url })).pipe(take(100), toArray()))).length,
      100,
    )
    while ((await count()) < 100) await new Promise((resolve) => setTimeout(resolve, 20))
    const source = rabbitSource<Item>(queue, { url })
    const taken = await lastValueFrom(fromSource(source, { acknowledge: true }).pipe(take(60), toArray()))
    assert.deepEqual(taken.map(({ at }) => at).sort((a, b) => a - b).length, 60)
    while ((await count()) !== 40) await new Promise((resolve) => setTimeout(resolve, 20))
  })

  it('go on where more has come than may be unacknowledged', async () => {
    const { url, queue, put } = await outside(server())
    await put(items(500))
    const source = rabbitSource<Item>(queue, { url, prefetch: 20 })
    const reading = fromSource(source, { acknowledge: true, every: 60_000 }).pipe(take(500), toArray())
    assert.deepEqual(await lastValueFrom(reading), items(500))
  })

  it('declare queues, publish to exchanges, and tell of messages that no queue takes', async () => {
    const { url, ask } = await outside(server())
    const [exchange, queue] = [`exchange-${randomUUID()}`, `queue-${randomUUID()}`]
    const source = rabbitSource<Item>(queue, { url, declare: {} })
    const reading = lastValueFrom(fromSource(source, { acknowledge: true }).pipe(take(1)))
    await ask(async (channel) => {
      await channel.assertExchange(exchange, 'topic', { durable: true })
      await channel.assertQueue(queue, { durable: true })
      await channel.bindQueue(queue, exchange, 'even.*')
    })
    const letters = new Subject<{ record: unknown }>()
    const returned: unknown[] = []
    letters.subscribe(({ record }) => returned.push(record))
    const target = { exchange, routingKey: ({ at }: Item) => `${at % 2 === 0 ? 'even' : 'odd'}.${at}` }
    const sink = rabbitSink<Item>(target, { url, deadLetters: letters, message: { contentType: 'application/json' } })
    assert.equal(await lastValueFrom(fromSource(replay([item(1), item(2)])).pipe(toSink(sink))), 2)
    assert.deepEqual(await reading, item(2))
    assert.equal(returned.length, 1)
  })

  it('say what is wrong at once, without the password', async () => {
    const { url, queue } = await outside(server())
    const failing = (source: ReturnType<typeof rabbitSource>) => lastValueFrom(fromSource(source))
    const wrong = url.replace(PASSWORD, 'wrong-password-7')
    await assert.rejects(failing(rabbitSource(queue, { url: wrong })), (error: Error) => {
      assert.match(error.message, /ACCESS.REFUSED/)
      assert.doesNotMatch(`${error.message} ${error.stack} ${String(error.cause)}`, /wrong-password-7/)
      return true
    })
    await assert.rejects(failing(rabbitSource('no-such-queue', { url })), /NOT.FOUND/)
    const nowhere = rabbitSource(queue, { url: 'amqp://a:geheim@127.0.0.1:1', retry: { attempts: 2, initial: 1 } })
    await assert.rejects(failing(nowhere), (error: Error) => {
      assert.ok(error instanceof ConnectionError)
      assert.doesNotMatch(error.message, /geheim/)
      return true
    })
  })

  it('check their options, all at once', () => {
    assert.throws(
      () => rabbitSource('q', { prefetch: 0, declare: 1, group: 'g' } as never),
      /2 options|is not an option/,
    )
    assert.throws(() => rabbitSink({ exchange: '' }, { declare: {}, message: 1 } as never), /3 options are wrong/)
  })
})
