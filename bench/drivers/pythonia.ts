import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { handlersFolder } from '../harness/paths'
import { folderOfPackage, installPeer, type Peer } from '../harness/peers'
import { callSession } from '../harness/pump'
import type { Batch, Driver } from '../harness/types'
import { functionOf, pythonEnd } from './lines'

const peer: Peer = { name: 'pythonia', version: '1.2.6' }

interface End {
  prepare(...args: string[]): Promise<void>
  call_text(text: string): Promise<string>
}

interface Module {
  readonly python: ((file: string) => Promise<End>) & { exit(): void }
}

/** pythonia (JSPyBridge), a child process; a batch is one text, since it makes a call for each look into a list. */
export const pythonia: Driver = {
  name: 'pythonia',
  label: 'pythonia',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records'],
  except: ['forest-columns'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { module, init } = work.case
    process.env.PYTHON_BIN = work.job.python
    const { python } = (await import(
      pathToFileURL(join(folderOfPackage(peer), 'src', 'pythonia', 'index.js')).href
    )) as {
      default: Module
    } & Module
    const end = await python(pythonEnd('texts.py'))
    await end.prepare(handlersFolder, module, functionOf(work.case), init ? 'load' : '')
    return callSession(
      work,
      async (batch) => JSON.parse(await end.call_text(JSON.stringify(batch))) as Batch,
      () => python.exit(),
    )
  },
}
