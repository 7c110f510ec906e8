import { callSession } from '../harness/pump'
import type { Driver } from '../harness/types'
import { LineProcess, pythonArguments, pythonEnd } from './lines'
import { decode, encode } from './text'

/** A child process that reads and writes a JSON array per batch and line, as well as we can do it. */
export const childProcess: Driver = {
  name: 'child-process',
  label: 'child process, JSON lines',
  role: 'peer',
  concurrent: true,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['forest-columns'],
  async open(work) {
    const { payload } = work.case
    const child = new LineProcess(work.job.python, [pythonEnd('json_lines.py'), ...pythonArguments(work.case)])
    return callSession(
      work,
      async (batch) => decode(await child.ask(encode(batch, payload)), payload),
      () => child.close(),
    )
  },
}
