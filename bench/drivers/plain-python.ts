import type { Driver } from '../harness/types'
import { LineProcess, pythonArguments, pythonEnd } from './lines'

/** The handler called by a Python program, which times itself: what it costs without any way to Python. */
export const plainPython: Driver = {
  name: 'python',
  label: 'plain Python',
  role: 'bound',
  concurrent: false,
  cases: ['identity', 'forest'],
  async open(work) {
    const child = new LineProcess(work.job.python, [pythonEnd('plain.py'), ...pythonArguments(work.case)])
    const ask = async (request: object) => JSON.parse(await child.ask(JSON.stringify(request)))
    await ask({ batches: work.batches })
    return {
      run: async (count) => (await ask({ run: count })) as number,
      results: async (batch) => (await ask({ batch })) as string[],
      close: () => child.close(),
    }
  },
}
