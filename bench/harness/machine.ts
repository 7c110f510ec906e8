import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import { packageFolder } from './paths'

/** Where the figures come from: without it they mean nothing. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  /** Load average of the last minute before the first measurement: above 0.5, others were at work. */
  readonly load: number
  readonly versions: Readonly<Record<string, string>>
}

const VERSIONS = `
import importlib.metadata, json, platform
names = ["numpy", "scikit-learn"]
print(json.dumps({"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}}))
`

export function describeMachine(python: string): Machine {
  const own = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
  const found = JSON.parse(execFileSync(python, ['-c', VERSIONS], { encoding: 'utf8' })) as Record<string, string>
  return {
    processor: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    load: os.loadavg()[0]!,
    versions: { 'rxjs-python': own.version, node: process.versions.node, ...found },
  }
}
