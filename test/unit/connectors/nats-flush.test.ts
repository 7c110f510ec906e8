import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, it } from 'mocha'
import { flushed } from '../../../lib/connectors/nats/connection'

/** A connection whose flush ends when the test says so. */
class Connection {
  closed = false
  looks = 0
  end!: (error?: Error) => void
  private readonly flushing = new Promise<void>((resolve, reject) => {
    this.end = (error) => (error === undefined ? resolve() : reject(error))
  })
  flush = () => this.flushing
  isClosed = () => {
    this.looks++
    return this.closed
  }
}

async function staysAlone(connection: Connection): Promise<void> {
  const { looks } = connection
  await pause(250)
  assert.equal(connection.looks, looks)
}

describe('what was published to NATS', () => {
  it('is there when the server says so', async () => {
    const connection = new Connection()
    const done = flushed(connection)
    setImmediate(() => connection.end())
    await done
    await staysAlone(connection)
  })

  it('fails as the client does', async () => {
    const connection = new Connection()
    const done = flushed(connection)
    setImmediate(() => connection.end(new Error('no server')))
    await assert.rejects(done, /no server/)
    await staysAlone(connection)
  })

  it('fails when the connection ends, of which the client would say nothing', async () => {
    const connection = new Connection()
    const done = flushed(connection)
    setImmediate(() => {
      connection.closed = true
    })
    await assert.rejects(done, /the connection was closed/)
    await staysAlone(connection)
  })
})
