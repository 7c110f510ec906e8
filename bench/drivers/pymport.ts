import { execFileSync } from 'node:child_process'
import { handlersFolder } from '../harness/paths'
import { installPeer, type Peer, requirePeer, withPython } from '../harness/peers'
import { blockingSession, callSession } from '../harness/pump'
import type { Batch, Driver, Work } from '../harness/types'
import { functionOf, pythonEnd } from './lines'
import { float64 } from './text'

// It asks for any node-addon-api, and does not build with the newest.
const peer: Peer = { name: 'pymport', version: '1.5.1', overrides: { 'node-addon-api': '8.0.0' } }

interface PyObject {
  get(name: string): PyObject
  call(...args: unknown[]): PyObject
  callAsync(...args: unknown[]): Promise<PyObject>
  toJS(): unknown
}

interface Module {
  pymport(name: string): PyObject
  readonly PyObject: { memoryview(buffer: Buffer): PyObject }
}

const PACKAGES = 'import sysconfig; print(sysconfig.get_path("purelib"))'

/** pymport by its asynchronous call; it brings a Python of its own, or links the one that it was built with. */
export const pymport: Driver = {
  name: 'pymport',
  label: 'pymport',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['forest-columns'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { handle, given, taken } = prepare(work)
    return callSession(
      work,
      async (batch) => taken(await handle.callAsync(given(batch))),
      () => undefined,
    )
  },
}

/** pymport by the call that blocks the JavaScript thread. */
export const pymportSync: Driver = {
  ...pymport,
  name: 'pymport-sync',
  label: 'pymport call',
  concurrent: false,
  except: ['forest-columns', 'latency'],
  async open(work) {
    const { handle, given, taken } = prepare(work)
    return blockingSession(
      work,
      (batch) => taken(handle.call(given(batch))),
      () => undefined,
    )
  },
}

/** The case's handler, loaded, and how a batch gets there and back. */
function prepare({ job, case: used }: Work) {
  const { payload, module, init } = used
  Object.assign(process.env, withPython(''))
  const loaded = requirePeer<Module>(peer)
  const path = loaded.pymport('sys').get('path')
  for (const folder of [pythonEnd(''), execFileSync(job.python, ['-c', PACKAGES], { encoding: 'utf8' }).trim()]) {
    path.get('append').call(folder)
  }
  const end = loaded.pymport('embedded')
  end.get('prepare').call(handlersFolder, module, functionOf(used), init ? 'load' : '', payload)
  const view = (of: ArrayBufferView) => loaded.PyObject.memoryview(Buffer.from(of.buffer, of.byteOffset, of.byteLength))
  const given = (batch: Batch): unknown => {
    if (payload === 'array') return view(batch as Float64Array)
    return payload === 'frames' ? (batch as readonly Uint8Array[]).map(view) : batch
  }
  const taken = (value: PyObject): Batch => {
    const results = value.toJS()
    return payload === 'array' ? float64(results as Buffer) : (results as Batch)
  }
  return { handle: end.get('handle'), given, taken }
}
