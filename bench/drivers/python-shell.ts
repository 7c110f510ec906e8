import type { EventEmitter } from 'node:events'
import { installPeer, type Peer, requirePeer } from '../harness/peers'
import { callSession } from '../harness/pump'
import type { Driver } from '../harness/types'
import { pythonArguments, pythonEnd } from './lines'

const peer: Peer = { name: 'python-shell', version: '5.0.0' }

interface Shell extends EventEmitter {
  send(message: unknown): void
  end(done: (error?: Error) => void): void
}

interface Module {
  readonly PythonShell: new (script: string, options: object) => Shell
}

/** python-shell in its JSON mode, with the same Python end as our own child process. */
export const pythonShell: Driver = {
  name: 'python-shell',
  label: 'python-shell',
  role: 'peer',
  concurrent: true,
  cases: ['identity', 'forest'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { PythonShell } = requirePeer<Module>(peer)
    const shell = new PythonShell(pythonEnd('json_lines.py'), {
      mode: 'json',
      pythonPath: work.job.python,
      args: pythonArguments(work.case),
    })
    const waiting = new Map<number, (results: string[]) => void>()
    let sent = 0
    let answered = 0
    shell.on('message', (results: string[]) => {
      const resolve = waiting.get(answered)!
      waiting.delete(answered)
      answered += 1
      resolve(results)
    })
    return callSession(
      work,
      (batch) =>
        new Promise<string[]>((resolve) => {
          waiting.set(sent, resolve)
          sent += 1
          shell.send(batch)
        }),
      () => new Promise<void>((resolve, reject) => shell.end((error) => (error ? reject(error) : resolve()))),
    )
  },
}
