import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { handlersFolder } from '../harness/paths'
import { installPeer, type Peer, requirePeer, withPython } from '../harness/peers'
import { callSession } from '../harness/pump'
import type { Driver } from '../harness/types'

const peer: Peer = { name: 'node-calls-python', version: '1.11.1' }

interface Interpreter {
  addImportPath(path: string): void
  import(file: string): Promise<object>
  call(module: object, name: string, ...args: unknown[]): Promise<unknown>
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
  cases: ['identity', 'forest'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const folders = JSON.parse(execFileSync(work.job.python, ['-c', FOLDERS], { encoding: 'utf8' }))
    Object.assign(process.env, withPython(folders.base))
    const { interpreter } = requirePeer<{ interpreter: Interpreter }>(peer)
    interpreter.addImportPath(folders.packages)
    const module = await interpreter.import(join(handlersFolder, `${work.case.module}.py`))
    if (work.case.init) await interpreter.call(module, 'load')
    return callSession(
      work,
      async (batch) => (await interpreter.call(module, 'handle', batch)) as string[],
      () => undefined,
    )
  },
}
