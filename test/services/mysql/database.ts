import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import type { Server } from '../server'
import { url } from '../servers/mariadb'

export type Item = Record<string, unknown>

/** The tests' own queries, on a connection of their own each time: the server is killed now and then. */
export function useSql(server: () => Server): (text: string, values?: unknown[]) => Promise<Item[]> {
  return async (text, values) => {
    const connection = await createConnection({ uri: url(server().port), dateStrings: true })
    try {
      const [rows] = await connection.query(text, values)
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : []
    } finally {
      connection.destroy()
    }
  }
}

/** The connections by which the server gives its log. */
export function useDumps(sql: ReturnType<typeof useSql>) {
  const states = async () =>
    (await sql("SELECT STATE AS state FROM information_schema.PROCESSLIST WHERE COMMAND = 'Binlog Dump'")).map(
      ({ state }) => String(state),
    )
  return {
    states,
    /** Resolves when nobody reads the log any more. */
    none: async () => {
      while ((await states()).length > 0) await sleep(20)
    },
    /** Resolves when the log is being read, and before that when `reading` ends. */
    some: async (reading: Promise<unknown>) => {
      while ((await states()).length === 0) await Promise.race([reading, sleep(20)])
    },
  }
}
