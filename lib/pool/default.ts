import { PythonPool } from './pool'

let opening: Promise<PythonPool> | undefined

/** The pool of operators that were given none: one interpreter of the Python that is found, opened on first use. */
export function defaultPool(): Promise<PythonPool> {
  opening ??= PythonPool.open({ name: 'default' }).catch((error) => {
    opening = undefined // the next subscription may have better luck
    throw error
  })
  return opening
}
