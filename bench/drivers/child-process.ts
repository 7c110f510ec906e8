import { callSession } from '../harness/pump'
import type { Driver } from '../harness/types'
import { LineProcess, pythonArguments, pythonEnd } from './lines'

/** A child process that reads and writes a JSON array per batch and line, as well as we can do it. */
export const childProcess: Driver = {
  name: 'child-process',
  label: 'child process, JSON lines',
  role: 'peer',
  concurrent: true,
  cases: ['identity', 'forest'],
  async open(work) {
    const child = new LineProcess(work.job.python, [pythonEnd('json_lines.py'), ...pythonArguments(work.case)])
    return callSession(
      work,
      async (batch) => JSON.parse(await child.ask(JSON.stringify(batch))) as string[],
      () => child.close(),
    )
  },
}
