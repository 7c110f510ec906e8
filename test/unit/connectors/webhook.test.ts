import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { map } from 'rxjs'
import { type Webhook, type WebhookSource, webhookSource } from '../../../lib/connectors/http'
import { idempotentSink, type Job, runJob } from '../../../lib/jobs'
import { temporaryFolder } from '../../fixtures/temporary'

async function opened(source: WebhookSource<unknown>): Promise<string> {
  while (source.url === '') await sleep(1)
  return source.url
}

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, { method: 'POST', body: JSON.stringify(body), headers })

describe('webhookSource', () => {
  async function start(store: string, source: WebhookSource<number>, seen: number[], every: number): Promise<Job> {
    return runJob({
      name: 'hooks',
      pipeline: (job) => job.source('hooks', source).pipe(map(({ body }: Webhook<number>) => body)),
      sink: idempotentSink<number>(async ({ results }) => void seen.push(...results)),
      checkpoint: { store, every },
    })
  }

  it('acknowledges what a checkpoint has', async () => {
    await using folder = await temporaryFolder()
    const seen: number[] = []
    const source = webhookSource<number>({ port: 0 })
    const job = await start(folder.path, source, seen, 20)
    const url = await opened(source)
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const { status } = await post(url, i)
        return { status, seen: seen.includes(i) }
      }),
    )
    assert.ok(answers.every(({ status, seen }) => status === 204 && seen))
    assert.equal(seen.length, 30)
    await job.cancel()
    await assert.rejects(post(url, 1))
  })

  it('does not acknowledge what was lost, so that it comes again', async () => {
    await using folder = await temporaryFolder()
    const seen: number[] = []
    const first = webhookSource<number>({ port: 0 })
    const job = await start(folder.path, first, seen, 60_000)
    const lost = post(await opened(first), 7)
    await sleep(50)
    await job.cancel()
    assert.equal((await lost).status, 503)
    assert.deepEqual(seen, [])
    const second = webhookSource<number>({ port: 0 })
    const again = await start(folder.path, second, seen, 20)
    assert.equal((await post(await opened(second), 7)).status, 204)
    assert.deepEqual(seen, [7])
    await again.cancel()
  })

  it('asks for a checkpoint before too many wait', async () => {
    await using folder = await temporaryFolder()
    const source = webhookSource<number>({ port: 0, maxWaiting: 10 })
    const job = await start(folder.path, source, [], 60_000)
    const url = await opened(source)
    const answers = Array.from({ length: 6 }, (_, i) => post(url, i))
    assert.equal((await Promise.race(answers)).status, 204)
    // What came while that one was taken waits for the next.
    await job.checkpoint()
    for (const { status } of await Promise.all(answers)) assert.equal(status, 204)
    await job.cancel()
  })

  it('takes only what is signed', async () => {
    const source = webhookSource({
      port: 0,
      acknowledge: 'receipt',
      signature: { secret: ['new', 'old'], header: 'x-signed' },
    })
    const items = source.read(undefined) as AsyncGenerator<[Webhook<unknown>, number]>
    const first = items.next()
    const url = await opened(source)
    const signed = (secret: string, body: unknown) => {
      const digest = createHmac('sha256', secret).update(JSON.stringify(body)).digest('hex')
      return post(url, body, { 'x-signed': `sha256=${digest}`, 'x-id': 'a' })
    }
    assert.equal((await post(url, 1)).status, 401)
    assert.equal((await signed('wrong', 1)).status, 401)
    assert.equal((await post(url, 1, { 'x-signed': 'sha256=00' })).status, 401)
    assert.equal((await signed('old', { n: 2 })).status, 204)
    const { value } = await first
    assert.deepEqual([value[0].body, value[0].headers['x-id']], [{ n: 2 }, 'a'])
    await source.close?.()
    assert.equal((await items.next()).done, true)
  })

  it('refuses what is none, and passes it on', async () => {
    const letters: string[] = []
    const source = webhookSource({
      port: 0,
      path: '/hook',
      maxBody: 10,
      acknowledge: 'receipt',
      maxWaiting: 2,
      deadLetters: ({ record }) => letters.push(record.toString()),
    })
    const items = source.read(undefined) as AsyncGenerator<[Webhook<unknown>, number]>
    const first = items.next()
    const url = await opened(source)
    const statuses = [
      await fetch(url, { method: 'POST', body: '{' }),
      await fetch(url, { method: 'POST', body: '"0123456789"' }),
      await fetch(url),
      await fetch(new URL('/other', url), { method: 'POST', body: '1' }),
    ].map(({ status }) => status)
    assert.deepEqual(statuses, [400, 413, 405, 404])
    assert.deepEqual(letters, ['{'])
    const answers = []
    for (let i = 0; i < 4; i++) answers.push((await post(url, i)).status)
    // One was taken, two may wait.
    assert.deepEqual(answers, [204, 204, 204, 503])
    await first
    await items.return(undefined)
    await source.close?.()
  })

  it('names all that is wrong with its options', () => {
    const wrong = { path: 'x', acknowledge: 'never', signature: { secret: '', algorithm: 'none' } }
    assert.throws(() => webhookSource(wrong as never), { code: 'ERR_OPTION', message: /path[\s\S]*never[\s\S]*secret/ })
  })
})
