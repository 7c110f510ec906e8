import assert from 'node:assert/strict'
import { readdirSync, readlinkSync, statSync } from 'node:fs'
import type { PythonPool } from '../../lib/index'
import { PythonCrashError, PythonError, PythonTimeoutError } from '../../lib/index'
import { failsWith } from '../fixtures/failures'
import { openPool, withPool } from '../fixtures/modes'

const WORKER = { isolation: 'process', size: 1 } as const
/** Messages that a worker forges. Most end it; two are texts that only JavaScript finds unreadable. */
const ENDED = [
  'status',
  'lengths',
  'units',
  'beyond',
  'offset',
  'body',
  'header',
  'longer',
  'padding',
  'ticket',
  'type',
]
const UNREADABLE = ['not json', 'no report']

withPool(
  'a worker process',
  (test) => {
    it('inherits no descriptors, not even careless ones', async () => {
      await using here = await openPool({ isolation: 'shared', size: 1 })
      const [open] = await here.handler<string, number>('security:open_inheritable').call(['/etc/hostname'])
      await using pool = await openPool(WORKER)
      const [seen] = await pool.handler<number, number[]>('security:descriptors').call([0])
      assert.ok(!seen!.includes(open!), `descriptor ${open} reached the worker: ${seen}`)
      assert.deepEqual(
        seen!.filter((descriptor) => descriptor <= 5),
        [0, 1, 2, 3, 4, 5],
      )
      assert.ok(seen!.length <= 8, `descriptors of a worker: ${seen}`)
    })

    it('passes none of ours on to programs that a handler starts', async () => {
      const [listed] = await test.pool.handler<number, string>('security:child_descriptors').call([0])
      assert.match(listed!, /^\[0, 1, 2, 3\]\n$/) // 3 is the listing's own
    })

    it('has of the environment what Python needs and what the option gives, no secrets', async () => {
      process.env.DATABASE_PASSWORD = 'secret'
      process.env.AWS_SECRET_ACCESS_KEY = 'secret'
      process.env.NODE_OPTIONS ??= ''
      try {
        await using pool = await openPool({ ...WORKER, env: { GIVEN: 'yes' } })
        const [names] = await pool.handler<number, string[]>('security:environment').call([0])
        assert.ok(names!.includes('PATH') && names!.includes('GIVEN'))
        const secret = names!.filter((name) => /PASSWORD|SECRET|TOKEN|KEY|^NODE_|^npm_/.test(name))
        assert.deepEqual(secret, [])
      } finally {
        delete process.env.DATABASE_PASSWORD
        delete process.env.AWS_SECRET_ACCESS_KEY
      }
    })

    it('shares memory that has no name, is sealed, and belongs to this user alone', async () => {
      const [memory] = await test.pool.handler('security:memory').call([0])
      assert.deepEqual(memory, {
        name: '/memfd:rxjs-python (deleted)',
        mode: 0o600,
        links: 0,
        mine: true,
        fixed: true,
      })
      const array = test.pool.allocate(Float64Array, 100_000)
      await test.pool.handler('security:echo', { codec: 'array' }).call([array])
      const files = ourMemoryFiles()
      assert.ok(files.length >= 2, 'the rings and the array')
      assert.deepEqual(new Set(files.map((mode) => mode & 0o777)), new Set([0o600]))
      assert.deepEqual(
        readdirSync('/dev/shm').filter((name) => name.includes('rxjs')),
        [],
      )
    })

    it('that never stops talking is ended all the same when a call has to stop', async () => {
      await using pool = await openPool({ ...WORKER, grace: 200 })
      pool.on('stdout', () => {})
      const call = pool.handler('security:talk').call([1], { timeout: 300 })
      await failsWith(call, PythonTimeoutError, 'ERR_TIMEOUT')
      assert.deepEqual(await pool.handler('security:echo').call([1]), [1])
    })
  },
  WORKER,
)

describe('a worker process that forges messages', () => {
  let pool: PythonPool
  before(async () => {
    pool = await openPool({ ...WORKER, onCrash: 'fail' })
  })
  after(() => pool.close())

  for (const what of ENDED) {
    it(`is ended when they do not fit: ${what}`, async () => {
      const error = await failsWith(pool.handler('security:forge').call([what]), PythonCrashError, 'ERR_PYTHON_CRASH')
      assert.match(error.message, /wrote over the memory/)
      assert.deepEqual(await pool.handler('security:echo').call([1]), [1])
    })
  }

  for (const what of UNREADABLE) {
    it(`fails its own call with texts that cannot be read: ${what}`, async () => {
      await assert.rejects(pool.handler('security:forge').call([what]), PythonError)
      assert.deepEqual(await pool.handler('security:echo').call([1]), [1])
    })
  }

  it('cannot make Node stumble over a log record', async () => {
    await assert.rejects(pool.handler('security:forge').call(['log']), PythonError)
    assert.deepEqual(await pool.handler('security:echo').call([1]), [1])
  })
})

/** The modes of this process's memory files that are ours. */
function ourMemoryFiles(): number[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const file = `/proc/self/fd/${name}`
      return readlinkSync(file).startsWith('/memfd:rxjs-python') ? [statSync(file).mode] : []
    } catch {
      return [] // closed meanwhile
    }
  })
}
