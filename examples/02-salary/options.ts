import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

const USAGE = `npm run demo [-- OPTIONS]

  --data FILE        a census file to use (default: records from a generator)
  --records N        use only the first N records, or let the generator make N
  --batch N          records in a batch of the main run (default: 1024)
  --isolation MODE   auto, shared or namespace (default: auto)
  --size N           interpreters (default: one for each core, at most 4)
  --python PATH      the Python to use (default: found as the package finds it)
  --check            compare the predictions with plain scikit-learn, record for record
  --help             this text`

const ISOLATIONS = ['auto', 'shared', 'namespace'] as const

export interface DemoOptions {
  data: string | undefined
  records: number | undefined
  batch: number
  isolation: (typeof ISOLATIONS)[number]
  size: number
  python: string | undefined
  check: boolean
}

/** The options of the command line; undefined where only the help was asked for, which is printed. */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: text,
      records: text,
      batch: text,
      isolation: text,
      size: text,
      python: text,
      check: flag,
      help: { ...flag, short: 'h' },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return undefined
  }
  const isolation = ISOLATIONS.find((mode) => mode === (values.isolation ?? 'auto'))
  if (isolation === undefined) throw new Error(`--isolation ${values.isolation}: must be ${ISOLATIONS.join(', ')}`)
  const data = values.data === undefined ? undefined : resolve(values.data)
  if (data !== undefined && !existsSync(data)) throw new Error(`--data: there is no file ${data}`)
  return {
    data,
    // Fewer would leave a class without a record in one of the halves.
    records: values.records === undefined ? undefined : whole('records', values.records, 100),
    batch: whole('batch', values.batch ?? '1024'),
    isolation,
    size: whole('size', values.size ?? String(Math.min(availableParallelism(), 4))),
    python: values.python,
    check: values.check,
  }
}

function whole(name: string, text: string, least = 1): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name} ${text}: must be a whole number from ${least} up`)
  }
  return value
}
