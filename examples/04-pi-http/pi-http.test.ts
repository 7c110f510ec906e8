import assert from 'node:assert/strict'
import { demo, poll, pushedOf, request } from './demo'
import { startServer } from './server'

describe('example 4: pi over HTTP', () => {
  it('answers with an id at once, and with pi when it is ready, polled or pushed', async () => {
    const { polled, polls, pushed } = await demo(['1000000'], () => {})
    for (const { state, pi } of [polled, pushed]) {
      assert.equal(state, 'done')
      // Four standard deviations of a million points, and a bit.
      assert.ok(Math.abs(pi! - Math.PI) < 0.01, `${pi}`)
    }
    assert.ok(polls > 1, 'it was there at once')
    assert.notEqual(polled.id, pushed.id)
  })

  it('lets a small request pass a large one', async () => {
    const server = await startServer()
    try {
      const large = await request(server.url, 5_000_000)
      const small = await request(server.url, 1000)
      assert.equal((await pushedOf(server.url, small.id)).state, 'done')
      assert.equal((await poll(server.url, large.id)).state, 'waiting')
    } finally {
      await server.close()
    }
  })

  it('refuses what it cannot take, and forgets the oldest answers', async () => {
    const server = await startServer({ most: 2, keep: 1, interpreters: 1 })
    try {
      for (const body of ['', '{', '{"points":0}', '{"points":1.5}', `{"points":1${' '.repeat(20_000)}}`]) {
        assert.equal((await fetch(`${server.url}/pi`, { method: 'POST', body })).status, 400, body.slice(0, 20))
      }
      assert.equal((await fetch(`${server.url}/pi/nobody`)).status, 404)
      assert.equal((await fetch(`${server.url}/`)).status, 404)
      await assert.rejects(pushedOf(server.url, 'nobody'), /404/)

      const first = await request(server.url, 300_000)
      const second = await request(server.url, 300_000)
      await assert.rejects(request(server.url, 1), /503: too many requests wait/)
      await pushedOf(server.url, second.id)
      assert.equal((await fetch(`${server.url}/pi/${first.id}`)).status, 404)
      assert.equal((await request(server.url, 1)).state, 'waiting')
    } finally {
      await server.close()
    }
  })
})
