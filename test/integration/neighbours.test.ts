import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { inEachMode } from '../fixtures/modes'
import { testPython } from '../fixtures/python'

/** The versions of the libraries that Python brings itself, or shares with the system, and Node has, too. */
const PLAIN_VERSIONS = `
import json, ssl, sys, zlib
from xml.parsers import expat
print(json.dumps({
    "versions": [ssl.OPENSSL_VERSION, zlib.ZLIB_RUNTIME_VERSION, expat.EXPAT_VERSION],
    "context": [int(ssl.create_default_context().minimum_version), True],
    "builtin": "zlib" in sys.builtin_module_names,
}))
`

interface Plain {
  versions: [openssl: string, zlib: string, expat: string]
  context: [leastVersion: number, required: boolean]
  /** Whether zlib's module is a part of libpython, as Debian has it. */
  builtin: boolean
}

/** What a Python says that is by itself. */
async function plain(): Promise<Plain> {
  return JSON.parse(execFileSync(await testPython(), ['-c', PLAIN_VERSIONS], { encoding: 'utf8' })) as Plain
}

inEachMode("libraries that Node has, too, are Python's own", (test) => {
  const call = <O>(name: string, batch: unknown[]) =>
    test.pool.handler<unknown, O>(`neighbours:${name}`).call(batch) as Promise<O[]>

  it('as in a Python by itself', async () => {
    const { versions, builtin } = await plain()
    // The symbols of libpython itself are looked for in Node first, where it is open for the whole process. Its zlib is newer.
    if (builtin && test.mode.isolation === 'shared') versions[1] = process.versions.zlib!.split('-')[0]!
    assert.deepEqual(await call('versions', [0]), [versions])
  })

  it('and work while Node uses its own', async () => {
    const texts = Array.from({ length: 50 }, (_, i) => `text ${i} `.repeat(i * 100))
    const [python, zipped] = await Promise.all([
      call<[string, string]>('digests', texts),
      texts.map((text) => gzipSync(text).length),
    ])
    assert.ok(zipped.every((length) => length > 0))
    assert.deepEqual(
      python,
      texts.map((text) => [createHash('sha512').update(text).digest('hex'), text]),
    )
  })

  it('with a TLS context that reads certificates', async () => {
    assert.deepEqual(await call('context', [0]), [(await plain()).context])
  })

  it('so that ctypes.pythonapi is this Python', async () => {
    const [[found, expected]] = (await call<[string, string]>('own_library', [0])) as [[string, string]]
    assert.equal(found, expected)
  })

  it('and may be opened for everybody, RTLD_GLOBAL', async () => {
    assert.deepEqual(await call('opened_globally', [0]), [1])
  })

  it('with the tables of characters that C code reads', async () => {
    assert.deepEqual(await call('character_tables', ['a', '1']), [
      [true, 65],
      [false, 49],
    ])
  })

  it("with variables of its own, where Python has a C library of its own; in 'shared' they are the process's", async () => {
    delete process.env.RXJS_PYTHON_NEIGHBOUR
    assert.deepEqual(await call('environment', [0]), ['set in Python'])
    assert.equal(process.env.RXJS_PYTHON_NEIGHBOUR, test.mode.isolation === 'shared' ? 'set in Python' : undefined)
  })

  it('so that a program started by sys.executable has the same environment', async () => {
    const [[found, expected]] = (await call<[string, string]>('child', [0])) as [[string, string]]
    assert.equal(found, expected)
  })
})
