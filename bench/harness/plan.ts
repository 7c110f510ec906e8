import { cases, findCase } from '../cases'
import { drivers, findDriver } from '../drivers'
import { jvmDrivers } from '../peers/drivers'
import type { PythonEnvironment } from './environment'
import type { BenchOptions } from './options'
import { type Case, type Driver, type Job, runsCase, runsSize } from './types'

export interface Plan {
  readonly jobs: readonly Job[]
  readonly skipped: readonly { readonly driver: string; readonly reason: string }[]
}

/** Every case with every driver that runs here, at every size; neighbours in the list are what will be compared. */
export async function makePlan(options: BenchOptions, environment: PythonEnvironment): Promise<Plan> {
  const usedCases = options.cases?.map(findCase) ?? cases
  const asked = options.drivers?.map(findDriver) ?? [...drivers, ...(options.jvm ? jvmDrivers : [])]
  const skipped: { driver: string; reason: string }[] = []
  const usedDrivers: Driver[] = []
  for (const driver of asked) {
    const reason = await driver.unavailable?.(environment)
    if (reason === undefined) usedDrivers.push(driver)
    else skipped.push({ driver: driver.name, reason })
  }

  const jobs: Job[] = []
  const { seconds } = options
  for (const used of usedCases) {
    for (const size of sizesOf(used, options.sizes)) {
      for (const driver of usedDrivers) {
        if (!runsCase(driver, used) || !runsSize(driver, used, size)) continue
        const counts = driver.concurrent ? (options.inFlight ?? used.inFlight(size)) : [1]
        for (const inFlight of counts) {
          jobs.push({ case: used.name, driver: driver.name, size, inFlight, seconds, python: environment.python })
        }
      }
    }
  }
  return { jobs, skipped }
}

/** Sizes of arrays and rates of calls are none of batches: such cases keep their own unless all that were asked for are theirs. */
function sizesOf(used: Case, asked: readonly number[] | undefined): readonly number[] {
  if (asked === undefined) return used.sizes
  const batches = used.payload !== 'array' && used.measures === 'throughput'
  return batches || asked.every((size) => used.sizes.includes(size)) ? asked : used.sizes
}
