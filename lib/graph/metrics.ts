import { readdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import type { NodeHooks } from './hooks'

/** What algorithms find the folder by that their TensorBoard logs go to. */
const VARIABLE = 'ALGO_METRICS_DIR'

/** Where the metrics of a store's runs lie; of pipelines without one, in a folder of this user's for temporary files. */
export function metricsRoot(store: string | undefined): string {
  return store === undefined ? join(tmpdir(), `rxjs-python-metrics-${userInfo().uid}`) : join(resolve(store), 'metrics')
}

/** Gives each node of each run a folder of its own, which the algorithm makes if it has something to write. */
export function metricsHook(store: string | undefined): NodeHooks {
  const root = metricsRoot(store)
  return {
    environment: ({ args: { jobId, nodeName, batchIndex } }) => ({
      [VARIABLE]: join(root, jobId, nodeName, ...(batchIndex === undefined ? [] : [String(batchIndex)])),
    }),
  }
}

/** The metrics of one node in one run. */
export interface NodeMetrics {
  run: string
  node: string
  folder: string
}

/** What there is, by runs and nodes. */
export function metricsOf(root: string): NodeMetrics[] {
  return foldersOf(root).flatMap((run) =>
    foldersOf(join(root, run)).map((node) => ({ run, node, folder: join(root, run, node) })),
  )
}

function foldersOf(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
