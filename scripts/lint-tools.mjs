// ruff and clang-format come from PyPI, in versions of their own, into .cache/lint: every machine formats alike.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './node-gyp.mjs'

const TOOLS = {
  ruff: { version: '0.14.5', executable: 'bin/ruff' },
  // The script in bin/ is a Python wrapper that finds its module only where it is on the path.
  'clang-format': { version: '20.1.8', executable: 'clang_format/data/bin/clang-format' },
}

/** The path of the tool's executable; installs it first where it is not there yet. */
export function pythonTool(name) {
  const { version, executable: inside } = TOOLS[name]
  const folder = join(root, '.cache', 'lint', `${name}-${version}`)
  const executable = join(folder, inside)
  if (!existsSync(executable)) install(`${name}==${version}`, folder)
  return executable
}

function install(requirement, folder) {
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--target', unfinished, requirement]
  const result = spawnSync('python3', args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PIP_ROOT_USER_ACTION: 'ignore' },
  })
  if (result.status !== 0) {
    rmSync(unfinished, { recursive: true, force: true })
    throw new Error(
      `lint: ${requirement} could not be installed; it needs python3 with pip (Debian: apt install python3-pip)`,
    )
  }
  try {
    renameSync(unfinished, folder)
  } catch (error) {
    // Another run of lint was quicker: its copy is as good.
    rmSync(unfinished, { recursive: true, force: true })
    if (!existsSync(folder)) throw error
  }
}
