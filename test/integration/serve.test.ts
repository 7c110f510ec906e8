import assert from 'node:assert/strict'
import { before, describe, it } from 'mocha'
import { PythonPool } from '../../lib'
import { serve } from '../../lib/connectors/http'
import { testPython } from '../fixtures/python'

const SOURCE = `
def handle(batch):
    for record in batch:
        if record["x"] < 0:
            raise ValueError("a negative x")
    return [{"y": record["x"] + 1, "together": len(batch)} for record in batch]
`

describe('serve, with Python', () => {
  let python: string
  before(async function () {
    this.timeout(300_000)
    python = await testPython()
  })

  it('answers many at once, and tells whose record it was that Python refused', async () => {
    await using pool = await PythonPool.open({ python })
    const status = (error: unknown) =>
      (error as { pythonType?: string }).pythonType === 'ValueError' ? 422 : undefined
    await using service = await serve({ source: SOURCE }, { pool, port: 0, status, expose: true })
    const ask = async (x: number) => {
      const response = await fetch(service.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ x }),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i === 20 ? -1 : i)))
    for (const [i, reply] of replies.entries()) {
      if (i === 20) {
        assert.deepEqual([reply.status, reply.body.detail], [422, 'ValueError: a negative x'])
      } else {
        assert.deepEqual([reply.status, reply.body.y], [200, i + 1])
      }
    }
    assert.ok(service.metrics.stage.largestBatch > 1)
  })

  it('fails where the handler cannot be loaded', async () => {
    await using pool = await PythonPool.open({ python })
    await assert.rejects(serve('no_such_module:handle', { pool, port: 0 }), { code: 'ERR_HANDLER_NOT_FOUND' })
  })
})
