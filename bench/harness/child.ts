/** The measured process: one case, one driver, one size. Its job is the first argument, its answer goes to file 3. */
import { writeSync } from 'node:fs'
import { findCase } from '../cases'
import { findDriver } from '../drivers'
import { measure } from './measure'
import type { Job } from './types'

async function main(): Promise<void> {
  const job = JSON.parse(process.argv[2]!) as Job
  const used = findCase(job.case)
  const work = { case: used, job, batches: await used.batches(job.size) }
  const session = await findDriver(job.driver).open(work)
  const measurement = await measure(session, work)
  await session.close()
  writeAll(JSON.stringify(measurement))
  // Some of the packages that we are compared with leave something open.
  process.exit(0)
}

function writeAll(text: string): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) rest = rest.subarray(writeSync(3, rest))
}

main().catch((error) => {
  console.error(error instanceof Error ? error.stack : error)
  process.exit(1)
})
