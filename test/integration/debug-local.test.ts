import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { from, lastValueFrom, toArray } from 'rxjs'
import { pipeline } from '../../lib/graph'
import { type LocalProcessInfo, mapPython, type PythonPool } from '../../lib/index'
import { HANDLERS, openPool } from '../fixtures/modes'
import { temporaryFolder } from '../fixtures/temporary'

/** What somebody does who copies the command that the pool printed. */
function run(command: string): ChildProcess {
  return spawn(`exec env ${command}`, { shell: true, stdio: ['ignore', 'inherit', 'ignore'] })
}

function program(pool: PythonPool, code: string): ChildProcess {
  const { python } = pool.info()
  const env = { ...process.env, PYTHONPATH: `${join(__dirname, '..', '..', 'python')}:${HANDLERS}` }
  return spawn(python.executable, ['-c', code], { env, stdio: ['ignore', 'inherit', 'inherit'] })
}

async function stateOf(pool: PythonPool, state: string): Promise<LocalProcessInfo> {
  for (;;) {
    const info = pool.info().debug[0] as LocalProcessInfo | undefined
    if (info?.state === state) return info
    await once(pool, 'debug')
  }
}

describe('a handler that a process of the user serves', function () {
  this.timeout(120_000)
  let pool: PythonPool
  beforeEach(async () => {
    pool = await openPool({ isolation: 'process', callbacks: { rate: async (of: number) => of * 100 } })
    pool.on('debug', () => {})
  })
  afterEach(() => pool.close())

  it('is reached by a socket that only its user may open, gets the waiting batches, and answers a stream', async () => {
    const served = pool.handler<number, number>('debugged:double', { debug: 'local' })
    const results = lastValueFrom(from([1, 2, 3]).pipe(mapPython(served), toArray()))
    const { socket, command } = await stateOf(pool, 'waiting')
    assert.equal(statSync(socket).mode & 0o777, 0o600)
    assert.equal(statSync(dirname(socket)).mode & 0o777, 0o700)
    const child = run(command)
    assert.deepEqual(await results, [2, 4, 6])
    const second = run(command)
    assert.equal((await once(second, 'close'))[0], 1, 'it is served already')
    const ended = once(child, 'close')
    await served.close()
    assert.equal((await ended)[0], 0)
    assert.equal(existsSync(dirname(socket)), false)
  })

  it('runs again, in the next process, the batch of one that ended', async () => {
    const served = pool.handler<unknown, unknown>('debugged:double', { debug: 'local' })
    const result = served.call([4n, Number.NaN, 'x\0'], { timeout: 1 })
    const { socket } = await stateOf(pool, 'waiting')
    const killer = `
import os
from rxjs_python.serve import serve
serve(${JSON.stringify(socket)}, lambda batch: os.kill(os.getpid(), 9))`
    assert.equal((await once(program(pool, killer), 'close'))[1], 'SIGKILL')
    await stateOf(pool, 'waiting')
    const ownFunction = `
import debugged
from rxjs_python.serve import Algorunner
Algorunner.Debug(${JSON.stringify(socket)}, debugged.plain)`
    program(pool, ownFunction)
    assert.deepEqual(await result, [4n, Number.NaN, 'x\0'])
  })

  it('calls the functions that the pool exposes, also those that call it again; errors are those of Python', async () => {
    const spec = `
from rxjs_python import host
def handle(batch):
    if batch == [0]:
        raise ValueError("none of these")
    if batch[0] < 0:
        return [host.submit("rate", -each).result() for each in batch]
    return [host.call("again", each) for each in batch]
`
    const served = pool.handler<number, number>(spec, { debug: 'local' })
    pool.expose('again', async (value: number) => (await served.call([-value]))[0])
    const result = served.call([2, 3])
    run((await stateOf(pool, 'waiting')).command)
    assert.deepEqual(await result, [200, 300])
    await assert.rejects(served.call([0]), { pythonType: 'ValueError', pythonMessage: 'none of these' })
    await assert.rejects(served.call([1], { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' })
  })

  it('may be the algorithm of one node, while the rest of the pipeline runs as it is', async () => {
    const algorithm = (python: string) => ({ python })
    const doubled = pipeline({
      name: 'doubled',
      pool,
      nodes: [
        { nodeName: 'red', algorithm: algorithm('def start(args, api):\n    return args["flowInput"] + 1') },
        {
          nodeName: 'yellow',
          algorithm: algorithm('def start(args, api):\n    raise ValueError("is not asked")'),
          input: ['@red'],
          debug: 'local',
        },
        { nodeName: 'out', kind: 'output', input: ['@yellow'] },
      ],
      algorithms: { inner: (args) => [...args.input, 'inner'] },
    })
    const running = doubled.run({ flowInput: 1 })
    const { socket } = await stateOf(pool, 'waiting')
    program(
      pool,
      `
import os
from rxjs_python.serve import Algorunner
def start(args, hkubeapi):
    assert os.environ['ALGO_METRICS_DIR'].endswith('yellow')
    return hkubeapi.start_algorithm("inner", args["input"], includeResult=True)
Algorunner.Debug(${JSON.stringify(socket)}, start)`,
    )
    assert.deepEqual((await running).output, [[2, 'inner']])
    assert.throws(
      () => pipeline({ name: 'p', nodes: [{ nodeName: 'a', algorithm: () => 1, debug: 'yes' as 'local' }] }),
      {
        code: 'ERR_OPTION',
      },
    )
  })

  it('may wait at a path of its own, which must not be taken', async () => {
    await using folder = await temporaryFolder()
    const socket = join(folder.path, 'double.sock')
    const served = pool.handler<number, number>('debugged:double', { debug: { socket } })
    const result = served.call([5])
    assert.equal((await stateOf(pool, 'waiting')).socket, socket)
    const other = pool.handler<number, number>('debugged:plain', { debug: { socket } })
    await assert.rejects(other.call([1]), { code: 'ERR_OPTION', message: /another program waits/ })
    run((await stateOf(pool, 'waiting')).command)
    assert.deepEqual(await result, [10])
    assert.throws(() => pool.handler('debugged:double', { debug: 'local', codec: 'array' }), { code: 'ERR_OPTION' })
    assert.throws(() => pool.handler('debugged:double', { debug: { socket, port: 1 } }), { code: 'ERR_OPTION' })
    await pool.destroy()
    assert.equal(existsSync(socket), false)
  })
})
