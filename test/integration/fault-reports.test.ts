import assert from 'node:assert/strict'
import { program } from '../fixtures/program'

/** A module whose function reads far behind the end of its memory: V8 learns of it by a SIGSEGV. */
const OUT_OF_BOUNDS = `
  const bytes = [0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 8, 1, 4, 114,
    101, 97, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11]
  const { read } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports
  const trap = () => {
    try {
      return read(read(0) + 0x7ffffff0)
    } catch (error) {
      return error.constructor === WebAssembly.RuntimeError
    }
  }
`

/** How Python's native code dies, and by which signal. */
const CRASHES: [title: string, handler: string, item: string, signal: NodeJS.Signals, frame: string][] = [
  ['a null pointer', 'handle', 'segfault', 'SIGSEGV', 'segfault'],
  ['abort()', 'handle', 'abort', 'SIGABRT', 'abort'],
  ['no stack left', 'handle', 'overflow', 'SIGSEGV', 'overflow'],
  ['a null pointer in a thread of the handler', 'handle', 'in_thread', 'SIGSEGV', 'segfault'],
  ...(['SIGFPE', 'SIGILL', 'SIGBUS'] as const).map(
    (signal) => [signal, 'raised_each', signal, signal, 'raised'] as (typeof CRASHES)[number],
  ),
]

const MODES = [
  { isolation: 'shared', size: 1 },
  { isolation: 'shared', size: 2 },
  { isolation: 'namespace', size: 2 },
] as const

for (const { isolation, size } of MODES) {
  describe(`a crash of Python in this process (${isolation}, ${size})`, function () {
    this.timeout(60_000)
    const options = `{ python, path, isolation: '${isolation}', size: ${size} }`

    for (const [title, handler, item, signal, frame] of CRASHES) {
      it(`${title}: the stack is printed, and the signal is the same`, async () => {
        const ended = await program(`
          const pool = await py.PythonPool.open(${options})
          const handler = pool.handler('crashing:${handler}')
          // All interpreters have worked, and the last one to do so crashes.
          await Promise.all(Array.from({ length: 8 }, () => handler.call([1])))
          await handler.call(['${item}'])
        `)
        assert.equal(ended.signal, signal, ended.stderr)
        assert.match(ended.stderr, /^Fatal Python error: /m)
        assert.match(ended.stderr, new RegExp(`File ".*crashing\\.py", line \\d+ in ${frame}`))
        assert.equal(ended.stderr.match(/Fatal Python error/g)?.length, 1)
      })
    }

    it('WebAssembly still traps while a pool is open, in the middle of a call, and after', async () => {
      const { stdout, stderr, status } = await program(`${OUT_OF_BOUNDS}
        const said = [trap()]
        const pool = await py.PythonPool.open(${options})
        said.push(trap())
        const nap = pool.handler('crashing:nap').call([0.3])
        await new Promise((resolve) => setTimeout(resolve, 100))
        for (let round = 0; round < 1000; round++) if (trap() !== true) throw new Error('it did not trap')
        await nap
        await pool.close()
        said.push(trap())
        console.log(JSON.stringify(said))
      `)
      assert.equal(stdout, '[true,true,true]\n', stderr)
      assert.equal(stderr, '')
      assert.equal(status, 0)
    })

    it('WebAssembly still traps in Workers, with and without a pool of their own', async () => {
      const { stdout, stderr, status } = await program(`
        const { Worker } = require('node:worker_threads')
        const { once } = require('node:events')
        const pool = await py.PythonPool.open(${options})
        for (const open of ['', 'const pool = await py.PythonPool.open(workerData.options)']) {
          const source = 'require("tsx/cjs"); const py = require(' + JSON.stringify(require.resolve('./lib/index.ts')) + ');' + \`
            const { parentPort, workerData } = require('node:worker_threads')
            ${OUT_OF_BOUNDS}
            async function main() {
              \${open}
              parentPort.postMessage(trap())
            }
            main()\`
          const worker = new Worker(source, { eval: true, workerData: { options: ${options} } })
          console.log((await once(worker, 'message'))[0])
          await worker.terminate()
        }
        await pool.close()
      `)
      assert.equal(stdout, 'true\ntrue\n', stderr)
      assert.equal(status, 0)
    })
  })
}

describe('a crash that is not of Python', function () {
  this.timeout(60_000)

  it('ends the process as it would without a pool: process.abort()', async () => {
    const ended = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'shared' })
      await pool.handler('crashing:nap').call([0])
      process.abort()
    `)
    assert.equal(ended.signal, 'SIGABRT', ended.stderr)
    assert.doesNotMatch(ended.stderr, /Fatal Python error/)
  })

  for (const signal of ['SIGSEGV', 'SIGABRT'] as const) {
    it(`shows what Python does when ${signal} is sent from outside`, async () => {
      const ended = await program(`
        const pool = await py.PythonPool.open({ python, path, isolation: 'shared' })
        const nap = pool.handler('crashing:nap')
        await nap.call([0])
        const call = nap.call([60])
        await new Promise((resolve) => setTimeout(resolve, 300))
        require('node:child_process').spawn('kill', ['-${signal.slice(3)}', String(process.pid)])
        await call
      `)
      assert.equal(ended.signal, signal, ended.stderr)
      assert.match(ended.stderr, /crashing\.py", line \d+ in nap/)
    })
  }

  it('a child process that Node starts has the usual handlers', async () => {
    const { stdout, stderr } = await program(`
      const pool = await py.PythonPool.open({ python, path, isolation: 'shared' })
      const { spawnSync } = require('node:child_process')
      const { signal, stderr } = spawnSync(python, ['-c', 'import ctypes; ctypes.string_at(0)'])
      console.log(signal, stderr.toString() === '')
      await pool.close()
    `)
    assert.equal(stdout, 'SIGSEGV true\n', stderr)
  })
})
