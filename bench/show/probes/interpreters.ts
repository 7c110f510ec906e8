/** A pool of 1, 2, 4 … interpreters: whether each answers rightly, and what all of them hold. */
import { loadPackage } from '../../harness/package'
import { handlersFolder } from '../../harness/paths'
import { treeMemoryMiB } from '../../harness/resources'
import { answer } from './answer'

export interface InterpretersRequest {
  readonly isolation: 'shared' | 'namespace' | 'process'
  readonly most: number
}

export interface InterpretersAnswer {
  readonly pools: readonly { readonly size: number; readonly right: boolean; readonly memoryMiB?: number }[]
}

const CALLS_EACH = 16

answer<InterpretersRequest, InterpretersAnswer>(async ({ python, isolation, most }) => {
  const { PythonPool } = loadPackage()
  const pools: { size: number; right: boolean; memoryMiB?: number }[] = []
  for (let size = 1; size <= most; size *= 2) {
    const pool = await PythonPool.open({ python, path: [handlersFolder], size, isolation })
    const handler = pool.handler<Float64Array>('memory:handle_array', { codec: 'array' })
    const answers = await Promise.all(
      Array.from({ length: size * CALLS_EACH }, (_, index) => handler.call(new Float64Array(64).fill(index))),
    )
    const right = answers.every((array, index) => array.length === 64 && array.every((value) => value === 2 * index))
    pools.push({ size, right, memoryMiB: treeMemoryMiB() })
    await pool.close()
  }
  return { pools }
})
