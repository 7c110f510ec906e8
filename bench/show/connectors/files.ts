import { createReadStream } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Connector, entry, type Item } from './connector'
import { fileOf, fillList } from './outside/lists'

/** As many lines as go to the file at once. */
const WRITTEN = 1000

/** JSON lines of a file, and into another one. */
export const files: Connector = {
  name: 'Files, JSON lines',
  timed: 500_000,
  async place() {
    const { fileSink, fileSource } = entry<typeof import('../../../lib/connectors/files')>('files')
    const folder = await mkdtemp(join(tmpdir(), 'rxjs-python-show-files-'))
    const [input, output] = [fileOf(folder, 'in'), fileOf(folder, 'out')]
    return {
      fill: (items) => fillList(folder, 'in', items),
      source: () => fileSource<Item>(input),
      sink: () => fileSink<Item>(output),
      async results() {
        const lines = (await readFile(output, 'utf8')).split('\n').slice(0, -1)
        return lines.map((line) => (JSON.parse(line) as Item).at)
      },
      async clientReads() {
        for await (const line of createInterface({ input: createReadStream(input) })) JSON.parse(line)
      },
      async clientWrites(items) {
        const file = await open(fileOf(folder, 'client'), 'w')
        for (let from = 0; from < items.length; from += WRITTEN) {
          const lines = items.slice(from, from + WRITTEN).map((item) => `${JSON.stringify(item)}\n`)
          await file.write(lines.join(''))
        }
        // As the sink has it: written is on the disk.
        await file.sync()
        await file.close()
      },
      close: () => rm(folder, { recursive: true, force: true }),
    }
  },
}
