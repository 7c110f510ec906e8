// One campaign in a process of its own: node --import=tsx test/fuzz/run.ts NAME SECONDS SEED
// The last line of its output is `executions: N`; a crash is what its parent looks for.
import { writeSync } from 'node:fs'
import { testPythonInfo } from '../fixtures/python'
import { CAMPAIGNS } from './campaigns'

async function main(): Promise<void> {
  const [name = '', seconds = '10', seed = '1'] = process.argv.slice(2)
  const campaign = CAMPAIGNS[name]
  if (campaign === undefined) throw new Error(`no such campaign: ${name}; there are ${Object.keys(CAMPAIGNS)}`)
  await testPythonInfo() // what has to be installed for it is not part of the time
  const executions = await campaign(Number(seed), performance.now() + Number(seconds) * 1000)
  writeSync(1, `executions: ${executions}\n`) // written before the process leaves
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
