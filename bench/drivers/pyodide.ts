import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { handlersFolder } from '../harness/paths'
import { folderOfPackage, installPeer, type Peer } from '../harness/peers'
import { blockingSession } from '../harness/pump'
import type { Batch, Driver } from '../harness/types'
import { functionOf, pythonEnd } from './lines'

const peer: Peer = { name: 'pyodide', version: '314.0.7' }
const FOLDER = '/bench'

interface End {
  prepare(...args: string[]): void
  call_text(text: string): string
}

interface Pyodide {
  readonly FS: { mkdir(path: string): void; writeFile(path: string, content: string): void }
  runPython(source: string): void
  pyimport(name: string): End
}

interface Module {
  loadPyodide(): Promise<Pyodide>
}

/** CPython as WebAssembly, on the JavaScript thread. numpy and scikit-learn are not in its npm package. */
export const pyodide: Driver = {
  name: 'pyodide',
  label: 'pyodide',
  role: 'peer',
  concurrent: false,
  carries: [],
  only: ['identity', 'json', 'latency'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { module } = work.case
    const url = pathToFileURL(join(folderOfPackage(peer), 'pyodide.mjs')).href
    const { loadPyodide } = (await import(url)) as Module
    const python = await loadPyodide()
    python.FS.mkdir(FOLDER)
    for (const file of [pythonEnd('payload.py'), pythonEnd('texts.py'), join(handlersFolder, `${module}.py`)]) {
      python.FS.writeFile(`${FOLDER}/${file.split('/').at(-1)!}`, readFileSync(file, 'utf8'))
    }
    python.runPython(`import sys; sys.path.insert(0, "${FOLDER}")`)
    const end = python.pyimport('texts')
    end.prepare(FOLDER, module, functionOf(work.case), '')
    return blockingSession(
      work,
      (batch) => JSON.parse(end.call_text(JSON.stringify(batch))) as Batch,
      () => undefined,
    )
  },
}
