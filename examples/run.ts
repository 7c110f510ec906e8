// `npm run example -- NAME …`: runs an example. `--picture FILE` also draws what it prints.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { terminalPicture } from './shared/picture'

/** The examples that have a demo, by their names without the number. */
const examples = new Map(
  readdirSync(__dirname)
    .filter((folder) => /^\d\d-/.test(folder) && existsSync(join(__dirname, folder, 'demo.ts')))
    .sort()
    .map((folder) => [folder.slice(3), folder]),
)

async function run([name, ...rest]: string[]): Promise<number> {
  const [example, program = 'demo'] = (name ?? '').split('/')
  const folder = examples.get(example!.replace(/^\d\d-/, ''))
  if (folder === undefined || !/^[\w-]+$/.test(program) || !existsSync(join(__dirname, folder, `${program}.ts`))) {
    console.error(`npm run example -- ${[...examples.keys()].join('|')} [options]`)
    return 2
  }
  const at = rest.indexOf('--picture')
  const picture = at < 0 ? undefined : rest.splice(at, 2)[1]
  const args = ['--import=tsx', join(__dirname, folder, `${program}.ts`), ...rest]
  const child = spawn(process.execPath, args, { stdio: ['inherit', picture ? 'pipe' : 'inherit', 'inherit'] })
  let printed = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text)
    printed += text
  })
  const status = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)))
  if (picture !== undefined && status === 0) {
    // What is drawn is the same in every clone.
    const here = printed
      .replaceAll(`${process.cwd()}/`, '')
      .replace(/\/\S*\/rxjs-python-example-\w+/g, '~/.local/state/rxjs-python')
    await writeFile(picture, terminalPicture(`npm run example -- ${[name, ...rest].join(' ')}`, here))
  }
  return status
}

run(process.argv.slice(2)).then((status) => {
  process.exitCode = status
})
