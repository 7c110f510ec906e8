import assert from 'node:assert/strict'
import { HandlerError, PoolClosedError } from '../../lib/errors'
import { failsWith } from '../fixtures/failures'
import { HANDLERS, inEachMode, openPool } from '../fixtures/modes'

/** Tells which interpreter ran it, by the thread or process. */
const WHO = `
  import os, threading, time
  loaded = time.monotonic()
  def handle(batch):
      time.sleep(0.002)
      return [[item, f"{os.getpid()} {threading.get_ident()}"] for item in batch]
`

type Answer = [item: number, who: string]

inEachMode('interpreters that come and go', (test) => {
  const seats = () => test.pool.calls.seats

  it('lose no call, and answer each once', async () => {
    const handler = test.pool.handler<number, Answer>(WHO)
    const { size } = test.mode
    const before = new Set(
      (await Promise.all(upTo(size * 8).map((i) => handler.call([i])))).flat().map(([, who]) => who),
    )
    assert.equal(before.size, size)
    let sent = 0
    let changing = true
    const answers: Promise<Answer[]>[] = []
    const sending = (async () => {
      for (; changing || sent < 100; ) {
        for (let i = 0; i < 6; i++) answers.push(handler.call([sent++]))
        await answers.at(-1)
      }
    })()
    await seats().add()
    assert.equal(test.pool.size, size + 1)
    for (const seat of [...seats().all]) assert.equal(await seats().replace(seat), true)
    assert.equal(seats().remove(), true)
    assert.equal(test.pool.size, size)
    changing = false
    await sending
    const all = (await Promise.all(answers)).flat()
    assert.deepEqual(
      all.map(([item]) => item),
      upTo(sent),
    )
    const last = await Promise.all(upTo(size * 8).map((i) => handler.call([i])))
    const after = new Set(last.flat().map(([, who]) => who))
    assert.equal(after.size, size, 'all of them work')
    assert.equal(test.pool.info().pending, 0)
    await handler.close()
  })

  it('leave an interpreter alone that has the state of a scan', async () => {
    const scan = test.pool.handler<number, number>('lambda state, item: state + item').variant('scan', { seed: 0 })
    assert.deepEqual(await scan.call([1, 2]), [1, 3])
    const kept = await Promise.all([...seats().all].map((seat) => seats().replace(seat)))
    assert.equal(kept.filter((replaced) => !replaced).length, 1)
    assert.deepEqual(await scan.call([1]), [4])
    await scan.close()
    for (const seat of [...seats().all]) assert.equal(await seats().replace(seat), true)
  })

  it('go on as they were where a replacement cannot load a handler', async function () {
    if (test.mode.isolation === 'shared') this.skip() // one Python for all, which has loaded it
    const flag = `${HANDLERS}/__loads_${process.pid}__`
    const handler = test.pool.handler<number, number>(`
      import os
      if os.path.exists(${JSON.stringify(flag)}):
          raise RuntimeError("the model is gone")
      def handle(batch):
          return batch
    `)
    await handler.call([1])
    const { rmSync, writeFileSync } = await import('node:fs')
    writeFileSync(flag, '')
    try {
      const before = [...seats().all]
      await failsWith(seats().replace(before[0]!), HandlerError, 'ERR_HANDLER_INIT')
      assert.deepEqual(seats().all, before)
    } finally {
      rmSync(flag)
    }
    assert.deepEqual(await handler.call([2]), [2])
    const broken = test.pool.handler('no_such_module')
    await failsWith(broken.call([1]), HandlerError, 'ERR_HANDLER_NOT_FOUND')
    assert.equal(await seats().replace(seats().all[0]!), true, 'what loads nowhere is in nobody’s way')
  })
})

for (const isolation of ['shared', 'namespace', 'process'] as const) {
  describe(`a pool that closes while an interpreter starts, ${isolation}`, () => {
    for (const end of ['close', 'destroy'] as const) {
      it(`is closed by ${end}()`, async () => {
        const pool = await openPool({ isolation, size: 2 })
        const handler = pool.handler<number, Answer>(WHO)
        const answer = handler.call([1])
        if (end === 'close') await answer
        else answer.catch(() => {})
        const adding = failsWith(pool.calls.seats.add(), PoolClosedError, 'ERR_POOL_CLOSED')
        const replacing = pool.calls.seats.replace(pool.calls.seats.all[0]!).then(
          () => {},
          (error) => assert.equal(error.code, 'ERR_POOL_CLOSED'),
        )
        await pool[end]()
        await Promise.all([adding, replacing])
        assert.equal(pool.size, 2)
      })
    }
  })
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
