import { cases, findCase } from '../cases'
import { drivers, findDriver } from '../drivers'
import type { PythonEnvironment } from './environment'
import type { BenchOptions } from './options'
import type { Driver, Job } from './types'

export interface Plan {
  readonly jobs: readonly Job[]
  readonly skipped: readonly { readonly driver: string; readonly reason: string }[]
}

/** Every case with every driver that runs here, at every size; neighbours in the list are what will be compared. */
export function makePlan(options: BenchOptions, environment: PythonEnvironment): Plan {
  const usedCases = options.cases?.map(findCase) ?? cases
  const asked = options.drivers?.map(findDriver) ?? drivers
  const skipped: { driver: string; reason: string }[] = []
  const usedDrivers: Driver[] = []
  for (const driver of asked) {
    const reason = driver.unavailable?.(environment)
    if (reason === undefined) usedDrivers.push(driver)
    else skipped.push({ driver: driver.name, reason })
  }

  const jobs: Job[] = []
  for (const used of usedCases) {
    for (const size of options.sizes ?? used.sizes) {
      for (const driver of usedDrivers) {
        if (!driver.cases.includes(used.name)) continue
        const counts = driver.concurrent ? (options.inFlight ?? used.inFlight(size)) : [1]
        for (const inFlight of counts) {
          const { seconds } = options
          jobs.push({ case: used.name, driver: driver.name, size, inFlight, seconds, python: environment.python })
        }
      }
    }
  }
  return { jobs, skipped }
}
