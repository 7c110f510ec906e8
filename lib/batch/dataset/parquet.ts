import { FileFormatError, MissingPackageError } from './errors'

type Hyparquet = typeof import('hyparquet')

/** How to unpack what was packed by a method, by its name in Parquet, such as `ZSTD`. */
export type Compressors = Record<string, (packed: Uint8Array, length: number) => Uint8Array>

export async function countRowGroups(path: string): Promise<number> {
  const { asyncBufferFromFile, parquetMetadataAsync } = await load()
  const file = await asyncBufferFromFile(path)
  return (await asFormat(path, () => parquetMetadataAsync(file))).row_groups.length
}

/** The records of one row group. Columns of 64-bit whole numbers are BigInts. */
export async function* readRowGroup(
  path: string,
  group: number,
  columns: readonly string[] | undefined,
  compressors: Compressors | undefined,
): AsyncGenerator<unknown> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await load()
  const file = await asyncBufferFromFile(path)
  const rows = await asFormat(path, async () => {
    const metadata = await parquetMetadataAsync(file)
    const sizes = metadata.row_groups.map(({ num_rows: rows }) => Number(rows))
    const rowStart = sizes.slice(0, group).reduce((all, one) => all + one, 0)
    return parquetReadObjects({
      file,
      metadata,
      rowStart,
      rowEnd: rowStart + sizes[group]!,
      ...(columns === undefined ? {} : { columns: [...columns] }),
      ...(compressors === undefined ? {} : { compressors }),
    })
  })
  yield* rows
}

async function asFormat<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error
    throw new FileFormatError(path, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function load(): Promise<Hyparquet> {
  try {
    return await import('hyparquet')
  } catch (error) {
    const message = "fromFiles: reading Parquet needs the package hyparquet: run 'npm install hyparquet'"
    throw new MissingPackageError('hyparquet', message, { cause: error })
  }
}
