/** Lists of lines in files, which a server of `outside/` keeps and the measuring process fills and looks at. */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Item } from '../connector'

export function fileOf(folder: string, list: string): string {
  return join(folder, `${list}.jsonl`)
}

export async function fillList(folder: string, list: string, items: readonly Item[]): Promise<void> {
  await writeFile(fileOf(folder, list), items.map((item) => `${JSON.stringify(item)}\n`).join(''))
}

/** None where nobody has written it. */
export function linesOf(folder: string, list: string): string[] {
  try {
    return readFileSync(fileOf(folder, list), 'utf8').split('\n').slice(0, -1)
  } catch {
    return []
  }
}

export function numbersOf(folder: string, list: string): number[] {
  return linesOf(folder, list).map((line) => (JSON.parse(line) as Item).at)
}
