// PostgreSQL -> Python -> PostgreSQL, for ever; whoever starts this kills it at some moment.
// Plain JavaScript, so that it runs on the built package with nothing to load that takes time.
import { createRequire } from 'node:module'

const { main, folder, python, handlers, connection } = JSON.parse(process.argv[2])
const { index, jobs, postgres } = createRequire(import.meta.url)(main)

const pool = await index.PythonPool.open({ python, path: handlers, isolation: 'shared' })
const job = await jobs.runJob({
  name: 'invoices',
  pipeline: (job) =>
    job
      .source('orders', postgres.postgresChanges({ connection, tables: ['orders'], slot: 'invoices', batch: 100 }))
      .pipe(index.mapPython('invoices:handle', { pool, batch: 64 })),
  sink: postgres.postgresSink({
    connection,
    table: 'invoices',
    key: 'id',
    name: 'invoices',
    to: postgres.mirror,
    batch: 50,
  }),
  checkpoint: { store: folder, every: 25 },
})
console.log('running')
await job.done
