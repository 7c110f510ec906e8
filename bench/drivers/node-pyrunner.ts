import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findPythons } from '../../test/fixtures/pythons'
import { handlersFolder } from '../harness/paths'
import { installPeer, type Peer, requirePeer } from '../harness/peers'
import { callSession } from '../harness/pump'
import type { Batch, Driver } from '../harness/types'
import { functionOf, pythonEnd } from './lines'

const peer: Peer = { name: 'node-pyrunner', version: '1.0.6' }
/** Its binary is linked against this one. */
const LIBRARY = 'libpython3.10.so.1.0'

type Done = (result: string) => void

interface Runner {
  readonly config: Record<string, string> & { readonly module_search_paths: string[] }
  init(): boolean
  runScriptSync(source: string): void
  import(name: string): { call(name: string, args: string[], done: Done, failed: Done): void }
}

let library: string | undefined

/** node-pyrunner by its asynchronous call, on a Python 3.10: the only one that it knows. */
export const nodePyrunner: Driver = {
  name: 'node-pyrunner',
  label: 'node-pyrunner',
  role: 'peer',
  concurrent: true,
  carries: [],
  // The others want numpy, which the environment of this benchmark has for another Python.
  only: ['identity', 'json', 'latency'],
  async unavailable({ baseFolder }) {
    const { usable } = await findPythons()
    library = usable.map((python) => python.library).find((path) => path?.endsWith(LIBRARY)) ?? undefined
    if (library === undefined) return `node-pyrunner needs ${LIBRARY}, and no Python here has it`
    return installPeer(peer, baseFolder)
  },
  // Preloaded, because Python's own extensions look for their symbols in what is global.
  variables: () => ({ LD_PRELOAD: library ?? '', RXP_BENCH_LIBRARY: library ?? '' }),
  async open(work) {
    delete process.env.LD_PRELOAD // not for what this process starts
    const { module, init } = work.case
    const prefix = dirname(dirname(process.env.RXP_BENCH_LIBRARY!))
    const runner = requirePeer<Runner>(peer)
    const standard = join(prefix, 'lib', 'python3.10')
    if (!existsSync(standard)) throw new Error(`there is no folder ${standard}`)
    Object.assign(runner.config, { python_home: prefix, prefix, exec_prefix: prefix })
    Object.assign(runner.config, { executable: join(prefix, 'bin', 'python3.10'), pythonpath_env: standard })
    runner.config.module_search_paths.push(standard, join(standard, 'lib-dynload'), pythonEnd(''))
    runner.init()
    const args = [handlersFolder, module, functionOf(work.case), init ? 'load' : '']
    runner.runScriptSync(`import texts\ntexts.prepare(${args.map((one) => JSON.stringify(one)).join()})`)
    // It takes numbers and strings, so that a batch is one text.
    const end = runner.import('texts')
    const call = (text: string) =>
      new Promise<string>((resolve, reject) =>
        end.call('call_text', [text], resolve, (error) => reject(new Error(`node-pyrunner: ${error}`))),
      )
    return callSession(
      work,
      async (batch) => JSON.parse(await call(JSON.stringify(batch))) as Batch,
      () => undefined,
    )
  },
}
