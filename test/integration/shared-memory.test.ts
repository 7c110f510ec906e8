import assert from 'node:assert/strict'
import { program } from '../fixtures/program'

for (const isolation of ['shared', 'namespace'] as const) {
  describe(`a SharedArrayBuffer that Python keeps (${isolation})`, function () {
    this.timeout(60_000)

    it('stays when its Worker ends, and all that the Worker had', async () => {
      const { stdout, stderr, status } = await program(`
        const { Worker } = require('node:worker_threads')
        const source = 'require("tsx/cjs"); const py = require(' + JSON.stringify(require.resolve('./lib/index.ts')) + ');' + \`
          const { parentPort, workerData: { python, path } } = require('node:worker_threads')
          py.PythonPool.open({ python, path, isolation: '${isolation}' }).then(async (pool) => {
            // Large enough for memory of its own, which the system takes back at once.
            const items = new Float64Array(new SharedArrayBuffer(64 << 20)).fill(2)
            await pool.handler('sticking:keep', { codec: 'array' }).call(items)
            parentPort.postMessage('kept')
            setInterval(() => {}, 1000)
          })\`
        const worker = new Worker(source, { eval: true, workerData: { python, path } })
        await require('node:events').once(worker, 'message')
        await worker.terminate()
        const pool = await py.PythonPool.open({ python, path, isolation: '${isolation}' })
        const kept = pool.handler('sticking:kept_sum')
        console.log((await kept.call([3]))[0], (await kept.call([1]))[0])
        await pool.close()
      `)
      assert.equal(stdout, `${2 * (8 << 20)} ${3 * (8 << 20)}\n`, stderr)
      assert.equal(status, 0)
    })

    it('can be dropped by Python at any time', async () => {
      const { stdout, stderr, status } = await program(
        `
        const pool = await py.PythonPool.open({ python, path, isolation: '${isolation}' })
        const keep = pool.handler('sticking:keep', { codec: 'array' })
        const drop = pool.handler('sticking:drop')
        const before = process.memoryUsage().rss
        for (let round = 0; round < 40; round++) {
          await keep.call(new Float64Array(new SharedArrayBuffer(16 << 20)).fill(round))
          await drop.call([1])
          gc()
        }
        console.log(process.memoryUsage().rss - before < 300 << 20 ? 'flat' : 'grown')
        await pool.close()
      `,
        { NODE_OPTIONS: '--expose-gc' },
      )
      assert.equal(stdout, 'flat\n', stderr)
      assert.equal(status, 0)
    })
  })
}
