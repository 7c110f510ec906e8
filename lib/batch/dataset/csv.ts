import { createReadStream } from 'node:fs'
import { FileFormatError, MissingPackageError } from './errors'

/** The records of a CSV file: texts by column. */
export async function* readCsv(
  path: string,
  delimiter: string,
  columns: readonly string[] | undefined,
): AsyncGenerator<Record<string, string>> {
  const { parse } = load()
  const parser = parse({
    delimiter,
    columns: columns === undefined ? true : [...columns],
    bom: true,
    skip_empty_lines: true,
  })
  const file = createReadStream(path)
  file.once('error', (error) => parser.destroy(error))
  try {
    for await (const record of file.pipe(parser)) yield record as Record<string, string>
  } catch (error) {
    if (!(error as { code?: string } | null)?.code?.startsWith('CSV_')) throw error
    throw new FileFormatError(path, (error as Error).message, { cause: error })
  } finally {
    file.destroy()
  }
}

function load(): typeof import('csv-parse') {
  try {
    return require('csv-parse') as typeof import('csv-parse')
  } catch (error) {
    const message = "fromFiles: reading CSV needs the package csv-parse: run 'npm install csv-parse'"
    throw new MissingPackageError('csv-parse', message, { cause: error })
  }
}
