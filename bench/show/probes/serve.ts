/** The forest behind `serve`, in a process of its own: says its port and serves until its standard input ends. */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loadPackage } from '../../harness/package'
import { handlersFolder, packageFolder } from '../../harness/paths'

async function main(): Promise<void> {
  const { PythonPool } = loadPackage()
  const { serve } = createRequire(join(packageFolder, 'package.json'))(
    'rxjs-python/http',
  ) as typeof import('../../../lib/connectors/http')
  const pool = await PythonPool.open({ python: process.argv[2], path: [handlersFolder] })
  const handler = pool.handler<string, string>('forest:handle', { init: 'forest:load', codec: 'string' })
  const service = await serve(handler, { port: 0, path: '/handle' })
  console.log(service.port)
  process.stdin.resume()
  process.stdin.once('end', async () => {
    await service.close()
    await pool.close()
    const { meanBatch, meanLatency } = service.metrics.stage
    console.log(`${meanBatch.toFixed(1)} records a batch, ${meanLatency.toFixed(1)} ms`)
  })
}

void main()
