import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Income, Salary } from './records'

interface Plain {
  heldOut: number[]
  targets: Income[]
  predictions: Salary[]
}

export interface Comparison {
  equal: number
  total: number
  /** The first record that differs, in words. */
  difference: string | undefined
}

/**
 * Lets plain scikit-learn, in a process of its own and without this package, train on the same split and predict the
 * same records, and compares every prediction: the income and each bit of the probability.
 *
 * @param streamed the predictions that came out of the stream, in order of `heldOut`
 * @param executable the Python to run, which has scikit-learn
 */
export async function compareWithPlain(
  streamed: readonly Salary[],
  heldOut: readonly number[],
  executable: string,
  file: string,
  records: number | undefined,
): Promise<Comparison> {
  const script = join(__dirname, 'plain.py')
  const { stdout } = await promisify(execFile)(
    executable,
    ['-B', script, file, ...(records === undefined ? [] : [String(records)])],
    // The example's own modules must be found, and nothing that the caller's variables name.
    { maxBuffer: 256 << 20, env: { ...process.env, PYTHONPATH: '', PYTHONHOME: undefined } },
  )
  const plain: Plain = JSON.parse(stdout)
  const total = plain.predictions.length
  if (total !== streamed.length || plain.heldOut.some((row, index) => row !== heldOut[index])) {
    return { equal: 0, total, difference: 'the held-out rows are not the same' }
  }
  const differing = plain.predictions.flatMap((theirs, index) => {
    const ours = streamed[index]!
    return ours.income === theirs.income && Object.is(ours.probability, theirs.probability) ? [] : [index]
  })
  const first = differing[0]
  return {
    equal: total - differing.length,
    total,
    difference:
      first === undefined
        ? undefined
        : `row ${heldOut[first]}: streamed ${JSON.stringify(streamed[first])}, ` +
          `plain ${JSON.stringify(plain.predictions[first])}`,
  }
}
