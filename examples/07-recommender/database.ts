import { Client } from 'pg'
import { Server } from '../../test/services/server'
import { definition, url } from '../../test/services/servers/postgres'
import { install } from '../../test/services/services'

/** The database that `DATABASE_URL` names, or a PostgreSQL of its own that goes with it. */
export async function openDatabase() {
  const named = process.env.DATABASE_URL
  let server: Server | undefined
  if (named === undefined) {
    const [problem] = install(['postgres'])
    if (problem !== undefined) throw new Error(`set DATABASE_URL, or install PostgreSQL: ${problem}`)
    server = await Server.start(definition)
  }
  const connection = named ?? url(server!.port)
  const client = new Client({ connectionString: connection })
  await client.connect()
  const close = async () => {
    await client.end()
    await server?.stop()
  }
  return { connection, client, close }
}
