import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { it } from 'mocha'
import { createClient } from 'redis'
import { lastValueFrom, toArray } from 'rxjs'
import { type RedisSinkOptions, type RedisSourceOptions, redisSink, redisSource } from '../../lib/connectors/redis'
import { ConnectionError } from '../../lib/errors'
import { fromSource } from '../../lib/jobs'
import { sinkConformance, sourceConformance } from '../../lib/testing'
import type { Server } from './server'
import { definition, installation, PASSWORD } from './servers/redis'
import { describeService } from './service'

interface Item {
  at: number
  text: string
}

const item = (at: number): Item => ({ at, text: `item ${at} ü` })
const quick = { initial: 20, max: 200 }

/** A plain client of a server, and a stream of its own. */
async function outside(server: Server) {
  const url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`
  const stream = `stream-${randomUUID()}`
  const client = createClient({ url, socket: { reconnectStrategy: 20 } })
  client.on('error', () => {})
  await client.connect()
  const add = (value: string) => client.xAdd(stream, '*', { value })
  return {
    url,
    stream,
    client,
    put: async (items: readonly unknown[]) => void (await Promise.all(items.map((one) => add(JSON.stringify(one))))),
    contents: async () =>
      ((await client.xRange(stream, '-', '+')) ?? []).map(({ message }) => JSON.parse(message.value!) as Item),
    dispose: () => client.destroy(),
  }
}

async function interrupt(server: Server): Promise<void> {
  await server.kill()
  await server.restart()
}

function subjectOf(server: Server, options: RedisSourceOptions<Item>, replays: boolean) {
  return async () => {
    const { url, stream, client, put, dispose } = await outside(server)
    let letters = 0
    const deadLetters = () => void letters++
    return {
      open: () =>
        redisSource<Item>(stream, { url, retry: quick, deadLetters, ...options } as RedisSourceOptions<Item> & {
          group: string
        }),
      put,
      putBad: async () => void (await client.xAdd(stream, '*', { value: '{"at":' })),
      letters: () => letters,
      item,
      ends: false,
      replays,
      exactlyOnce: true,
      interrupt: () => interrupt(server),
      dispose,
    }
  }
}

describeService('Redis streams', { installation, definition }, (server) => {
  const all = { interrupts: true, refuses: true }
  const late = (make: (server: Server) => () => Promise<unknown>) => (() => make(server())()) as never
  sourceConformance(
    'redisSource',
    late((one) => subjectOf(one, {}, true)),
    all,
  )
  sourceConformance(
    'redisSource in a group',
    late((one) => subjectOf(one, { group: 'readers' }, false)),
    all,
  )

  sinkConformance(
    'redisSink',
    late((one) => async () => {
      const { url, stream, contents, dispose } = await outside(one)
      return {
        open: () => redisSink<Item>(stream, { url, batch: 30, retry: quick }),
        item,
        contents,
        guarantee: 'at-least-once',
        interrupt: () => interrupt(one),
        dispose,
      }
    }),
    { interrupts: true },
  )

  const used = async (test: (tools: Awaited<ReturnType<typeof outside>>) => Promise<void>) => {
    const tools = await outside(server())
    try {
      await test(tools)
    } finally {
      tools.dispose()
    }
  }
  const items = (count: number) => Array.from({ length: count }, (_, at) => item(at))

  it('share a group’s entries among its members, and take over what a member has left', () =>
    used(async ({ url, stream, put, client }) => {
      await put(items(100))
      const options = { url, group: 'readers', batch: 10, end: true }
      const [one, two] = ['one', 'two'].map((consumer) =>
        redisSource<Item>(stream, { ...options, consumer, claimIdle: 30 }),
      )
      // The first one reads some, acknowledges nothing, and is gone.
      const seen: number[] = []
      for await (const [value] of one!.read(undefined) as AsyncIterable<readonly [Item, unknown]>) {
        seen.push(value.at)
        if (seen.length === 15) break
      }
      await one!.close?.()
      await new Promise((resolve) => setTimeout(resolve, 60))
      const rest = await lastValueFrom(fromSource(two!, { acknowledge: true }).pipe(toArray()))
      assert.deepEqual(
        rest.map(({ at }) => at).sort((a, b) => a - b),
        items(100).map(({ at }) => at),
      )
      assert.equal((await client.xPending(stream, 'readers')).pending, 0)
    }))

  it('acknowledge nothing by themselves', () =>
    used(async ({ url, stream, put, client }) => {
      await put(items(50))
      const source = redisSource<Item>(stream, { url, group: 'readers', end: true })
      assert.equal((await lastValueFrom(fromSource(source).pipe(toArray()))).length, 50)
      assert.equal((await client.xPending(stream, 'readers')).pending, 50)
    }))

  it('begin where they are told to', () =>
    used(async ({ url, stream, put, client }) => {
      await put(items(10))
      const ids = ((await client.xRange(stream, '-', '+')) ?? []).map(({ id }) => id)
      const read = (start: string) =>
        lastValueFrom(fromSource(redisSource<Item>(stream, { url, start, end: true })).pipe(toArray()))
      assert.deepEqual(await read(ids[6]!), items(10).slice(7))
      assert.deepEqual(
        await lastValueFrom(fromSource(redisSource<Item>(stream, { url, start: '$', end: true })).pipe(toArray())),
        [],
      )
    }))

  it('carry all fields of an entry as an object, both ways, and texts and bytes', () =>
    used(async ({ url, stream }) => {
      const write = async <T>(name: string, options: RedisSinkOptions<T>, values: readonly T[]) => {
        const sink = redisSink<T>(name, { url, ...options })
        await sink.open(undefined)
        for (const value of values) await sink.write(value)
        await sink.prepare(1)
        await sink.close()
        const { maxLength: _, ...both } = options
        const source = redisSource<T>(name, { url, end: true, ...(both as object) } as { end: true })
        return lastValueFrom(fromSource(source).pipe(toArray()))
      }
      const person = { name: 'Ada', city: 'London' }
      assert.deepEqual(await write(stream, { field: null }, [person]), [person])
      assert.deepEqual(await write(`${stream}-text`, { codec: 'string', field: 'line' }, ['ä', 'b']), ['ä', 'b'])
      const bytes = Buffer.from([0, 255, 10])
      assert.deepEqual(await write(`${stream}-bytes`, { codec: 'buffer' }, [bytes]), [bytes])
    }))

  it('are trimmed to about the length that is asked for', () =>
    used(async ({ url, stream, client }) => {
      const sink = redisSink<Item>(stream, { url, maxLength: 100 })
      await sink.open(undefined)
      for (const value of items(5_000)) await sink.write(value)
      await sink.prepare(1)
      await sink.close()
      const length = await client.xLen(stream)
      assert.ok(length >= 100 && length < 1_000, `${length} entries`)
    }))

  it('say what is wrong without the password', () =>
    used(async ({ stream }) => {
      const url = `redis://:wrong-password-7@127.0.0.1:${server().port}`
      const refused = lastValueFrom(fromSource(redisSource(stream, { url, retry: { attempts: 2, initial: 1 } })))
      await assert.rejects(refused, (error: Error) => {
        assert.match(error.message, /WRONGPASS/)
        assert.doesNotMatch(JSON.stringify([error.message, error.stack, String(error.cause)]), /wrong-password-7/)
        return true
      })
      const nowhere = redisSource(stream, { url: 'redis://:geheim@127.0.0.1:1', retry: { attempts: 3, initial: 1 } })
      await assert.rejects(lastValueFrom(fromSource(nowhere)), (error: Error) => {
        assert.ok(error instanceof ConnectionError)
        assert.match(error.message, /redis: stream-.*ECONNREFUSED.*\(3 attempts\)/)
        assert.doesNotMatch(error.message, /geheim/)
        return true
      })
    }))

  it('check their options, all at once', () => {
    assert.throws(() => redisSource('', { claimIdle: 5, start: 'x', batch: 0 } as never), /5 options are wrong/)
    assert.throws(() => redisSink('s', { maxLength: -1, group: 'g' } as never), /2 options are wrong/)
  })
})
