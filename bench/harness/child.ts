/** The measured process: one case, one driver, one size. Its job is the first argument, its answer goes to file 3. */
import { writeSync } from 'node:fs'
import { findCase } from '../cases'
import { findDriver } from '../drivers'
import { cut, measure } from './measure'
import type { Job } from './types'

async function main(): Promise<void> {
  const job = JSON.parse(process.argv[2]!) as Job
  const used = findCase(job.case)
  const work = { case: used, job, batches: cut(await used.items(), job.size) }
  const session = await findDriver(job.driver).open(work)
  try {
    const measurement = await measure(session, work)
    writeSync(3, JSON.stringify(measurement))
  } finally {
    await session.close()
  }
}

main().catch((error) => {
  console.error(error instanceof Error ? error.stack : error)
  process.exit(1)
})
