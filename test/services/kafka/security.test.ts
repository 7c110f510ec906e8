import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { after, before, describe, it } from 'mocha'
import { lastValueFrom, take, toArray } from 'rxjs'
import { type KafkaOptions, kafkaSink, kafkaSource } from '../../../lib/connectors/kafka'
import { fromSource, replay, toSink } from '../../../lib/jobs'
import type { EmbeddedKafka } from '../../../lib/testing'
import { freePorts } from '../server'
import { needKafka, startKafka } from '../servers/kafka'

const PASSWORD = 'a-secret-of-kafka'

/** A key and a certificate for 127.0.0.1 that it has signed itself. */
function certificate(folder: string): { key: string; cert: string } {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const { status, stderr } = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
  ])
  assert.equal(status, 0, String(stderr))
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
}

describe('Kafka by TLS, with a password', function () {
  this.timeout(120_000)
  let kafka: EmbeddedKafka
  let folder: string
  let secure: KafkaOptions

  before(async function () {
    needKafka(this)
    if (spawnSync('openssl', ['version']).status !== 0) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'rxjs-python-kafka-tls-'))
    const { key, cert } = certificate(folder)
    const [plain, closed, controller] = (await freePorts(3)) as [number, number, number]
    const at = (port: number) => `127.0.0.1:${port}`
    const oneLine = (pem: string) => pem.trim().replaceAll('\n', '\\n')
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule'
    kafka = await startKafka({
      client: 'confluent',
      port: plain,
      properties: {
        listeners: `PLAINTEXT://${at(plain)},SECURE://${at(closed)},CONTROLLER://${at(controller)}`,
        'advertised.listeners': `PLAINTEXT://${at(plain)},SECURE://${at(closed)}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT',
        'controller.quorum.voters': `1@${at(controller)}`,
        'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN',
        'listener.name.secure.plain.sasl.jaas.config': `${login} required user_tester="${PASSWORD}";`,
        'listener.name.secure.ssl.keystore.type': 'PEM',
        'listener.name.secure.ssl.keystore.key': oneLine(key),
        'listener.name.secure.ssl.keystore.certificate.chain': oneLine(cert),
      },
    })
    secure = {
      brokers: at(closed),
      client: 'confluent',
      tls: { ca: cert },
      sasl: { mechanism: 'plain', username: 'tester', password: PASSWORD },
    }
    await kafka.createTopics('closed')
  })
  after(async () => {
    await kafka?.stop()
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it('records go there and come back', async () => {
    const records = Array.from({ length: 100 }, (_, value) => ({ value }))
    await lastValueFrom(fromSource(replay(records)).pipe(toSink(kafkaSink<number>({ kafka: secure, topic: 'closed' }))))
    const source = kafkaSource<number>({ kafka: secure, group: 'readers', topics: 'closed' })
    const got = await lastValueFrom(fromSource(source).pipe(take(100), toArray()))
    assert.deepEqual(
      got.map(({ value }) => value),
      records.map(({ value }) => value),
    )
  })

  it('a wrong password is said, and not shown', async () => {
    const wrong = 'another-secret-of-kafka'
    const options = { ...secure, sasl: { ...secure.sasl!, password: wrong } }
    const failing = lastValueFrom(
      fromSource(replay([{ value: 1 }])).pipe(toSink(kafkaSink<number>({ kafka: options, topic: 'closed' }))),
    )
    await assert.rejects(failing, (error: Error) => {
      assert.match(inspect(error, { depth: 10, showHidden: true }), /authentication/i)
      assert.doesNotMatch(inspect(error, { depth: 10, showHidden: true }), new RegExp(wrong))
      return true
    })
  })

  it('a certificate that nobody vouches for is refused', async () => {
    const options: KafkaOptions = { ...secure, tls: true }
    const failing = lastValueFrom(
      fromSource(replay([{ value: 1 }])).pipe(toSink(kafkaSink<number>({ kafka: options, topic: 'closed' }))),
    )
    await assert.rejects(failing, /certificate|ssl/i)
  })
})
