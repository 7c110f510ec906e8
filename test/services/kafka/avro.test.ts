import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { tap } from 'rxjs'
import { avroCodec, kafkaSource } from '../../../lib/connectors/kafka'
import { runJob } from '../../../lib/jobs'
import type { EmbeddedKafka } from '../../../lib/testing'
import { needKafka, startKafka } from '../servers/kafka'
import { until } from './until'

describe('Avro on a broker', function () {
  this.timeout(120_000)
  let kafka: EmbeddedKafka
  let folder: string
  let server: Server
  let registry: string
  const schemas: string[] = []

  before(async function () {
    needKafka(this)
    folder = mkdtempSync(join(tmpdir(), 'rxjs-python-avro-'))
    kafka = await startKafka({ client: 'confluent' })
    server = createServer(async (request, response) => {
      const id = /^\/schemas\/ids\/(\d+)$/.exec(request.url!)?.[1]
      if (request.method === 'POST') {
        let body = ''
        for await (const chunk of request) body += chunk
        const { schema } = JSON.parse(body) as { schema: string }
        if (!schemas.includes(schema)) schemas.push(schema)
        response.end(JSON.stringify({ id: schemas.indexOf(schema) + 1 }))
      } else if (id !== undefined && schemas[Number(id) - 1] !== undefined) {
        response.end(JSON.stringify({ schema: schemas[Number(id) - 1] }))
      } else {
        response.statusCode = 404
        response.end('{"error_code":40403}')
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(async () => {
    server?.close()
    await kafka?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it('in the wire format of a registry; a newer schema reads what an older one wrote', async () => {
    const topic = 'avro'
    await kafka.createTopics(topic)
    const field = (name: string, type: string, rest = {}) => ({ name, type, ...rest })
    const old = { type: 'record', name: 'Order', fields: [field('id', 'int')] }
    const later = { ...old, fields: [field('id', 'int'), field('note', 'string', { default: 'none' })] }
    const writer = await avroCodec<{ id: number }>({ registry, schema: old, subject: `${topic}-value` })
    const reader = await avroCodec<{ id: number; note: string }>({
      registry,
      schema: later,
      subject: `${topic}-value`,
    })
    const wire = writer.encode({ id: 5 }) as Buffer
    assert.deepEqual([wire[0], wire.readUInt32BE(1), wire.length], [0, 1, 6])
    const unknown = Buffer.from(wire)
    unknown.writeUInt32BE(77, 1)
    await kafka.produce(topic, [
      { value: wire },
      { value: unknown },
      { value: Buffer.from('text') },
      { value: writer.encode({ id: 6 }) as Buffer },
    ])
    const got: unknown[] = []
    const letters: unknown[] = []
    const job = await runJob({
      name: 'avro',
      pipeline: (job) =>
        job
          .source(
            'records',
            kafkaSource({
              ...{ kafka: kafka.connection, group: topic, topics: topic, codec: reader },
              deadLetters: ({ error }) => letters.push((error as { code: string }).code),
            }),
          )
          .pipe(tap(({ value }) => got.push({ ...value }))),
      checkpoint: join(folder, topic),
    })
    await until('both records', () => got.length === 2)
    await job.cancel()
    assert.deepEqual(got, [
      { id: 5, note: 'none' },
      { id: 6, note: 'none' },
    ])
    assert.deepEqual(letters, ['ERR_SCHEMA', 'ERR_SCHEMA'])
  })
})
