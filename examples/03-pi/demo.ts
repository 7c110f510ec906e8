// Two jobs that estimate pi, submitted to a node that keeps them. README.md, beside this file, says more.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runDemo } from '../shared/demo'
import { ExampleNode } from '../shared/node'

/** Estimates of the jobs in the order of their arrival. */
export interface PiResult {
  readonly estimates: Record<'Pi1Job' | 'Pi2Job', number[]>
}

export async function demo(args: readonly string[], print: (line: string) => void): Promise<PiResult> {
  const { values } = parseArgs({
    args: [...args],
    options: { seconds: { type: 'string', default: '12' }, every: { type: 'string', default: '5' } },
  })
  const estimates: PiResult['estimates'] = { Pi1Job: [], Pi2Job: [] }
  const node = await ExampleNode.start((line) => {
    print(line)
    const found = /^Topic 'pi' : Job '(Pi[12]Job)' : Value '(.*)'$/.exec(line)
    if (found) estimates[found[1] as 'Pi1Job'].push(Number(found[2]))
  })
  try {
    for (const name of ['Pi1Job', 'Pi2Job']) {
      const said = await node.run('submit', join(__dirname, `${name}.ts`), '--', '--every', values.every)
      print(`$ rxjs-python submit ${name}.ts\n${said.trimEnd()}`)
    }
    await sleep(Number(values.seconds) * 1000)
    print(`$ rxjs-python list\n${(await node.run('list')).trimEnd()}`)
    return { estimates }
  } finally {
    await node.dispose()
  }
}

if (require.main === module) runDemo(demo)
