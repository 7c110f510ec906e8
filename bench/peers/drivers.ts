/** Jep and Hazelcast Jet, measured by Java programs of their own. */
import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { locatePython } from '../../lib/pool/locate'
import { ensureEnvironment } from '../../lib/pool/requirements'
import { findCase } from '../cases'
import { handlersFolder } from '../harness/paths'
import type { Driver, Job, Measurement } from '../harness/types'
import { compile, fetchJars, itemsFile, jarsIn, javaHome, jetBase, jvmFolder, NO_JDK, runJava } from './jvm'

type Variables = Readonly<Record<string, string>>

const REQUIREMENTS = join(__dirname, 'jep_requirements.txt')
const FOLDERS = `
import json, sys, sysconfig
print(json.dumps({"base": sys.base_prefix, "packages": sysconfig.get_path("purelib")}))
`

function foldersOf(python: string): { base: string; packages: string } {
  return JSON.parse(execFileSync(python, ['-c', FOLDERS], { encoding: 'utf8' })) as { base: string; packages: string }
}

const common = {
  role: 'peer',
  concurrent: false,
  carries: [],
  only: ['identity', 'forest'],
  open: () => Promise.reject(new Error('this driver is a program of its own')),
} as const satisfies Partial<Driver>

let jepPython: string | undefined

/** Calls are made on the Java thread itself, one after the other. */
export const jep: Driver = {
  ...common,
  name: 'jep',
  label: 'Jep (JVM), calls that block',
  async unavailable({ python }) {
    const home = javaHome()
    if (home === undefined) return NO_JDK
    try {
      const env = { ...process.env, JAVA_HOME: home }
      const info = await ensureEnvironment({ requirements: REQUIREMENTS, python: await locatePython(python), env })
      jepPython = info.executable
    } catch (error) {
      return `Jep does not install: ${(error as Error).message.split('\n').slice(0, 3).join(' ')}`
    }
    return compile(home, 'JepBench', jarsIn(join(foldersOf(jepPython).packages, 'jep')))
  },
  async measure(job: Job, variables: Variables): Promise<Measurement> {
    const { module, init } = findCase(job.case)
    const { base, packages } = foldersOf(jepPython!)
    const library = join(packages, 'jep')
    const { size, seconds } = job
    return runJava({
      home: javaHome()!,
      program: 'JepBench',
      classPath: jarsIn(library),
      options: [`-Djava.library.path=${library}`],
      args: [
        ...[
          await itemsFile(job, variables),
          `${size}`,
          `${seconds}`,
          handlersFolder,
          module,
          init ? 'load' : '',
          packages,
        ],
      ],
      variables: { ...variables, PYTHONHOME: base, LD_LIBRARY_PATH: join(base, 'lib') },
      pythonFolder: dirname(jepPython!),
    })
  },
}

/** Jet makes an environment for each job from the `python3` that it finds; ours is added to its path. */
function wrapper(packages: string, module: string, init: boolean): string {
  const lines = ['import sys', `sys.path.append(${JSON.stringify(packages)})`, `from ${module} import handle`]
  return `${[...lines, ...(init ? [`from ${module} import load`, 'load()'] : [])].join('\n')}\n`
}

function jet(instances: 1 | 2): Driver {
  return {
    ...common,
    name: instances === 1 ? 'jet' : 'jet-2',
    label: `Jet mapUsingPython${instances === 1 ? '' : ' ×2'}`,
    unavailable() {
      const home = javaHome()
      if (home === undefined) return NO_JDK
      return fetchJars() ?? compile(home, 'JetBench', jarsIn(join(jvmFolder, 'jars')))
    },
    async measure(job: Job, variables: Variables): Promise<Measurement> {
      const { module, init } = findCase(job.case)
      const { base, packages } = foldersOf(job.python)
      const folder = jetBase(module, wrapper(packages, module, init), handlersFolder)
      return runJava({
        home: javaHome()!,
        program: 'JetBench',
        classPath: jarsIn(join(jvmFolder, 'jars')),
        args: [await itemsFile(job, variables), `${job.size}`, `${job.seconds}`, folder, 'jet_handler', `${instances}`],
        variables,
        pythonFolder: join(base, 'bin'),
      })
    },
  }
}

/** Kafka → model → Kafka by Jet, exactly once, with one Python; items a second. */
export async function jetKafka(
  kafka: { brokers: string; input: string; output: string; records: number; every: number },
  handler: { python: string; module: string },
  variables: Variables,
): Promise<number> {
  const home = javaHome()
  const problem = home === undefined ? NO_JDK : fetchJars('kafka-pom.xml', 'jars-kafka')
  const classPath = problem === undefined ? jarsIn(join(jvmFolder, 'jars-kafka')) : ''
  const reason = problem ?? compile(home!, 'JetKafka', classPath)
  if (reason !== undefined) throw new Error(reason)
  const { base, packages } = foldersOf(handler.python)
  const folder = jetBase(handler.module, wrapper(packages, handler.module, true), handlersFolder)
  const { brokers, input, output, records, every } = kafka
  const { itemsPerSecond } = await runJava({
    home: home!,
    program: 'JetKafka',
    classPath,
    args: [brokers, input, output, `${records}`, `${every}`, folder, 'jet_handler', '1'],
    variables,
    pythonFolder: join(base, 'bin'),
  })
  return itemsPerSecond
}

/** With two instances Jet does not keep the order, so that its results cannot be compared one by one. */
export const jvmDrivers: readonly Driver[] = [jep, jet(1), jet(2)]
