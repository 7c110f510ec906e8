import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The package's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The folder that holds `include/node`, where the headers lie beside this Node: then none have to be downloaded. */
export function localNodeDir() {
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? prefix : undefined
}

/** The first of the C++ compilers that a build would take, or undefined where there is none. */
export function findCompiler(env = process.env) {
  if (env.CXX) return env.CXX
  for (const name of ['g++', 'c++', 'clang++']) {
    if (onPath(name, env)) return name
  }
  return undefined
}

/** Runs node-gyp in the package's folder with inherited output; returns its exit status. */
export function nodeGyp(args) {
  const [command, ...first] = nodeGypCommand()
  const nodedir = localNodeDir()
  const all = [...first, ...args, ...(nodedir ? [`--nodedir=${nodedir}`] : []), '--jobs=max']
  const result = spawnSync(command, all, { cwd: root, stdio: 'inherit' })
  if (result.error) {
    console.error(`rxjs-python: node-gyp could not be started: ${result.error.message}`)
    return 1
  }
  return result.status ?? 1
}

/** node-gyp: the one in node_modules, else the one that npm brings for install scripts, else the one on PATH. */
function nodeGypCommand() {
  try {
    return [process.execPath, createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')]
  } catch {
    const bundled = process.env.npm_config_node_gyp
    return bundled && existsSync(bundled) ? [process.execPath, bundled] : ['node-gyp']
  }
}

function onPath(name, env) {
  return (env.PATH ?? '').split(delimiter).some((folder) => folder !== '' && existsSync(join(folder, name)))
}
