// Counts the even ones of the numbers from 0 up, with a Python function. README.md, beside this file, says more.
import { lastValueFrom } from 'rxjs'
// In a program of your own: from 'rxjs-python' and 'rxjs-python/batch'
import { parallelize } from '../../lib/batch'
import { PythonPool } from '../../lib/index'
import { runDemo } from '../shared/demo'

/** Resolves with how many of the numbers from 0 to below `args[0]` (1000) are even. */
export async function demo(args: readonly string[], print: (line: string) => void): Promise<number> {
  const count = Number(args[0] ?? 1000)
  if (!Number.isSafeInteger(count) || count < 0) throw new Error(`'${args[0]}' is not a number of numbers`)
  await using pool = await PythonPool.open({ path: [__dirname], size: 2 })

  const numbers = parallelize(
    Array.from({ length: count }, (_, number) => number),
    4,
  )
  const evens = numbers.filterPython('evens:is_even', { pool })
  const found = await lastValueFrom(evens.count())

  print(`${found} of ${count} numbers are even`)
  return found
}

if (require.main === module) runDemo(demo)
