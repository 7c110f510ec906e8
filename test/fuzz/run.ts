// One campaign in a process of its own: node --import=tsx test/fuzz/run.ts NAME SECONDS SEED
// The last line of its output is `executions: N`; a crash is what its parent looks for.
import { CAMPAIGNS } from './campaigns'

async function main(): Promise<void> {
  const [name = '', seconds = '10', seed = '1'] = process.argv.slice(2)
  const campaign = CAMPAIGNS[name]
  if (campaign === undefined) throw new Error(`no such campaign: ${name}; there are ${Object.keys(CAMPAIGNS)}`)
  const executions = await campaign(Number(seed), performance.now() + Number(seconds) * 1000)
  console.log(`executions: ${executions}`)
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error)
    process.exit(1)
  },
)
