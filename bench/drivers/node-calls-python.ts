import { execFileSync } from 'node:child_process'
import { handlersFolder } from '../harness/paths'
import { installPeer, type Peer, requirePeer, withPython } from '../harness/peers'
import { blockingSession, callSession } from '../harness/pump'
import type { Batch, Driver, Work } from '../harness/types'
import { functionOf, pythonEnd } from './lines'
import { float64 } from './text'

const peer: Peer = { name: 'node-calls-python', version: '1.11.1' }

interface Interpreter {
  addImportPath(path: string): void
  import(file: string): Promise<object>
  call(module: object, name: string, ...args: unknown[]): Promise<unknown>
  callSync(module: object, name: string, ...args: unknown[]): unknown
}

const FOLDERS = `
import json, os, sys, sysconfig
print(json.dumps({"base": os.path.join(sys.base_prefix, "bin"), "packages": sysconfig.get_path("purelib")}))
`

/** node-calls-python by its asynchronous call; it links the Python that it was built with. */
export const nodeCallsPython: Driver = {
  name: 'node-calls-python',
  label: 'node-calls-python',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['forest-columns'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { interpreter, module } = await prepare(work)
    return callSession(
      work,
      async (batch) => fromBytes((await interpreter.call(module, 'handle', batch)) as Batch, work.case.payload),
      () => undefined,
    )
  },
}

/** node-calls-python by the call that blocks the JavaScript thread. */
export const nodeCallsPythonSync: Driver = {
  ...nodeCallsPython,
  name: 'node-calls-python-sync',
  label: 'node-calls-python callSync',
  concurrent: false,
  except: ['forest-columns', 'latency'],
  async open(work) {
    const { interpreter, module } = await prepare(work)
    return blockingSession(
      work,
      (batch) => fromBytes(interpreter.callSync(module, 'handle', batch) as Batch, work.case.payload),
      () => undefined,
    )
  },
}

/** The case's handler, loaded. */
async function prepare({ job, case: used }: Work) {
  const folders = JSON.parse(execFileSync(job.python, ['-c', FOLDERS], { encoding: 'utf8' }))
  Object.assign(process.env, withPython(folders.base))
  const { interpreter } = requirePeer<{ interpreter: Interpreter }>(peer)
  interpreter.addImportPath(folders.packages)
  interpreter.addImportPath(pythonEnd(''))
  const module = await interpreter.import(pythonEnd('embedded.py'))
  const handler = [handlersFolder, used.module, functionOf(used), used.init ? 'load' : '', used.payload]
  await interpreter.call(module, 'prepare', ...handler)
  return { interpreter, module }
}

/** It gives ArrayBuffers for bytes. */
export function fromBytes(results: Batch | ArrayBuffer, payload: string): Batch {
  if (payload === 'array') return float64(results as ArrayBuffer)
  if (payload === 'frames') return (results as unknown as readonly ArrayBuffer[]).map((one) => new Uint8Array(one))
  return results as Batch
}
