import type { Driver } from '../harness/types'
import { childProcess } from './child-process'
import { javascript } from './javascript'
import { nodeCallsPython } from './node-calls-python'
import { plainPython } from './plain-python'
import { pythonShell } from './python-shell'
import { rxjsPython } from './rxjs-python'

export const drivers: readonly Driver[] = [
  ...rxjsPython,
  plainPython,
  javascript,
  childProcess,
  pythonShell,
  nodeCallsPython,
]

export function findDriver(name: string): Driver {
  const found = drivers.find((one) => one.name === name)
  if (found !== undefined) return found
  throw new Error(`There is no driver "${name}"; there are ${drivers.map((driver) => driver.name).join(', ')}`)
}
