import assert from 'node:assert/strict'
import { isPassing } from '../../lib/connectors/postgres/connection'

describe('PostgreSQL: errors that pass', () => {
  const failing = (code: string | undefined, message = 'failed') => Object.assign(new Error(message), { code })

  it('are those of the connection, whatever they are called', () => {
    // EPIPE looks like an SQLSTATE, which has five characters as well.
    for (const code of ['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ETIMEDOUT', 'ENOTFOUND', 'ERR_STREAM_DESTROYED']) {
      assert.equal(isPassing(failing(code)), true, code)
    }
    assert.equal(isPassing(failing(undefined, 'Connection terminated unexpectedly')), true)
  })

  it("are the server's that say so", () => {
    for (const code of ['57P01', '57P03', '53300', '08006', '40001', '55006']) {
      assert.equal(isPassing(failing(code)), true, code)
    }
    for (const code of ['28P01', '42P01', '23505', 'XX000', 'P0001', 'ERR_DATABASE_LOG', undefined]) {
      assert.equal(isPassing(failing(code)), false, code)
    }
  })
})
