/** Finds a JDK and Maven, fetches and compiles what runs on them, and measures with it. */
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { findCase } from '../cases'
import { cacheFolder } from '../harness/paths'
import { withPython } from '../harness/peers'
import type { Job, Measurement } from '../harness/types'

const sources = __dirname
export const jvmFolder = join(cacheFolder, 'jvm')
/** A job of Jet's takes its time to start: it makes an environment first. */
const LIMIT_S = 180
/** Jet reflects on what the JDK keeps to itself. */
const OPEN = [
  'java.base/java.lang',
  'java.base/sun.nio.ch',
  'java.management/sun.management',
  'jdk.management/com.sun.management.internal',
]

/** The JDK's folder: JAVA_HOME, or where the `javac` of the path lies. */
export function javaHome(): string | undefined {
  const asked = process.env.JAVA_HOME
  if (asked !== undefined) return existsSync(join(asked, 'bin', 'javac')) ? asked : undefined
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const javac = join(folder, 'javac')
    if (existsSync(javac)) return dirname(dirname(realpathSync(javac)))
  }
  return undefined
}

export const NO_JDK =
  'there is no JDK here: install one of 17 or later (apt install openjdk-17-jdk-headless), or set JAVA_HOME'

/** Fetches Jet's jars into the cache; returns why that is not possible, or undefined. */
export function fetchJars(pom = 'pom.xml', folder = 'jars'): string | undefined {
  const jars = join(jvmFolder, folder)
  const mark = join(jvmFolder, folder === 'jars' ? '.fetched' : `.fetched-${folder}`)
  if (existsSync(mark)) return undefined
  console.error("fetching Hazelcast Jet's jars to compare with")
  mkdirSync(jars, { recursive: true })
  try {
    const args = ['-q', '-B', '-f', join(sources, pom), 'dependency:copy-dependencies']
    execFileSync('mvn', [...args, `-DoutputDirectory=${jars}`, '-DincludeScope=runtime'], {
      stdio: 'pipe',
      timeout: 600_000,
    })
  } catch (error) {
    const { code, stdout, message } = error as NodeJS.ErrnoException & { stdout?: Buffer }
    if (code === 'ENOENT') return 'there is no Maven here: install it (apt install maven)'
    return `the jars cannot be fetched: ${(String(stdout ?? '') || message).split('\n').slice(0, 2).join(' ')}`
  }
  writeFileSync(mark, '')
  return undefined
}

/** Compiles one program against these jars. */
export function compile(home: string, program: string, classPath: string): string | undefined {
  const args = [
    '-d',
    classesFolder(program),
    '-cp',
    classPath,
    join(sources, 'Items.java'),
    join(sources, `${program}.java`),
  ]
  rmSync(classesFolder(program), { recursive: true, force: true })
  try {
    execFileSync(join(home, 'bin', 'javac'), args, { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `${program}.java does not compile: ${String((error as { stderr?: Buffer }).stderr)
      .split('\n')
      .slice(0, 3)
      .join(' ')}`
  }
}

export function classesFolder(program: string): string {
  return join(jvmFolder, program)
}

export function jarsIn(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jar'))
    .map((name) => join(folder, name))
    .join(delimiter)
}

/** The case's items, a line each; made in this process, so that the variables of the case have to be set here. */
export async function itemsFile(job: Job, variables: Readonly<Record<string, string>>): Promise<string> {
  const file = join(jvmFolder, `${job.case}.txt`)
  Object.assign(process.env, variables)
  // A batch of one for each: the ring in its order.
  const batches = await findCase(job.case).batches(1)
  mkdirSync(jvmFolder, { recursive: true })
  writeFileSync(file, `${batches.map(([item]) => item).join('\n')}\n`)
  return file
}

export interface JavaRun {
  readonly home: string
  readonly program: string
  readonly classPath: string
  readonly options?: readonly string[]
  readonly args: readonly string[]
  readonly variables: Readonly<Record<string, string>>
  /** The folder whose `python3` is to be found first. */
  readonly pythonFolder: string
}

/** Runs a program and returns the measurement that it prints. */
export function runJava(run: JavaRun): Promise<Measurement> {
  const opens = OPEN.flatMap((name) => ['--add-opens', `${name}=ALL-UNNAMED`])
  const classPath = [classesFolder(run.program), run.classPath].join(delimiter)
  const args = [...opens, ...(run.options ?? []), '-cp', classPath, run.program, ...run.args]
  const threads = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }
  const child = spawn(join(run.home, 'bin', 'java'), args, {
    env: { ...withPython(run.pythonFolder), ...threads, ...run.variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk))
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_S * 1000)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      const text = Buffer.concat(output).toString('utf8')
      const found = /^RESULT (.*)$/m.exec(text)
      if (status === 0 && found !== null) resolve(JSON.parse(found[1]!) as Measurement)
      else reject(new Error(`${run.program} ended with ${signal ?? status}\n${whyOf(text)}`))
    })
  })
}

/** What a program said, without the places in Java where it did. */
function whyOf(output: string): string {
  const lines = output.split('\n').filter((line) => !/^\s+at /.test(line))
  return lines.join('\n').slice(-1200)
}

/** A folder that Jet copies to its job: the handlers, and a module of this name that lends them our packages. */
export function jetBase(module: string, wrapper: string, handlers: string): string {
  const folder = join(jvmFolder, `base-${module}`)
  rmSync(folder, { recursive: true, force: true })
  cpSync(handlers, folder, { recursive: true })
  writeFileSync(join(folder, 'jet_handler.py'), wrapper)
  return folder
}
