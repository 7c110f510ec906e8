import type { Driver } from '../harness/types'
import { LineProcess, pythonArguments, pythonEnd } from './lines'
import { decode, encode } from './text'

/** The handler called by a Python program, which times itself: what it costs without any way to Python. */
export const plainPython: Driver = {
  name: 'python',
  label: 'plain Python',
  role: 'bound',
  concurrent: false,
  carries: ['strings', 'records', 'frames', 'array'],
  except: ['latency'],
  async open(work) {
    const child = new LineProcess(work.job.python, [pythonEnd('plain.py'), ...pythonArguments(work.case)])
    const { payload } = work.case
    await child.ask(`{"batches":[${work.batches.map((batch) => encode(batch, payload)).join()}]}`)
    return {
      run: async (count) => JSON.parse(await child.ask(JSON.stringify({ run: count }))) as number,
      results: async (batch) => decode(await child.ask(`{"batch":${encode(batch, payload)}}`), payload),
      close: () => child.close(),
    }
  },
}
