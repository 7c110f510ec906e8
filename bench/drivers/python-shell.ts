import type { EventEmitter } from 'node:events'
import { installPeer, type Peer, requirePeer } from '../harness/peers'
import { callSession } from '../harness/pump'
import type { Batch, Driver } from '../harness/types'
import { pythonArguments, pythonEnd } from './lines'
import { decode, encode } from './text'

const peer: Peer = { name: 'python-shell', version: '5.0.0' }

interface Shell extends EventEmitter {
  send(message: unknown): void
  end(done: (error?: Error) => void): void
}

interface Module {
  readonly PythonShell: new (script: string, options: object) => Shell
}

/** python-shell with lines of JSON and the same Python end as our own child process. */
export const pythonShell: Driver = {
  name: 'python-shell',
  label: 'python-shell',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['forest-columns'],
  unavailable: ({ baseFolder }) => installPeer(peer, baseFolder),
  async open(work) {
    const { PythonShell } = requirePeer<Module>(peer)
    const shell = new PythonShell(pythonEnd('json_lines.py'), {
      mode: 'text',
      pythonPath: work.job.python,
      args: pythonArguments(work.case),
    })
    const { payload } = work.case
    const waiting = new Map<number, (results: Batch) => void>()
    let sent = 0
    let answered = 0
    shell.on('message', (line: string) => {
      const resolve = waiting.get(answered)!
      waiting.delete(answered)
      answered += 1
      resolve(decode(line, payload))
    })
    return callSession(
      work,
      (batch) =>
        new Promise<Batch>((resolve) => {
          waiting.set(sent, resolve)
          sent += 1
          shell.send(encode(batch, payload))
        }),
      () => new Promise<void>((resolve, reject) => shell.end((error) => (error ? reject(error) : resolve()))),
    )
  },
}
