import type { Driver } from '../harness/types'
import { jvmDrivers } from '../peers/drivers'
import { childProcess } from './child-process'
import { javascript } from './javascript'
import { nodeCallsPython, nodeCallsPythonSync } from './node-calls-python'
import { nodePyrunner } from './node-pyrunner'
import { plainPython } from './plain-python'
import { pymport, pymportSync } from './pymport'
import { pyodide } from './pyodide'
import { pythonShell } from './python-shell'
import { pythonia } from './pythonia'
import { rest } from './rest'
import { rxjsPython } from './rxjs-python'

export const drivers: readonly Driver[] = [
  ...rxjsPython,
  plainPython,
  javascript,
  childProcess,
  pythonShell,
  nodeCallsPython,
  nodeCallsPythonSync,
  nodePyrunner,
  pymport,
  pymportSync,
  pythonia,
  pyodide,
  rest,
]

export function findDriver(name: string): Driver {
  const found = [...drivers, ...jvmDrivers].find((one) => one.name === name)
  if (found !== undefined) return found
  throw new Error(`There is no driver "${name}"; there are ${drivers.map((driver) => driver.name).join(', ')}`)
}
