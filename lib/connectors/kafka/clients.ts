import { loadClient } from '../client'
import type { ClientName, KafkaClient } from './adapter'
import { ConfluentClient } from './confluent/client'
import type { Library } from './confluent/library'
import type { Connection } from './connection'

/** The client that the options name, or the default one. */
export async function clientOf(connection: Connection): Promise<KafkaClient> {
  return ADAPTERS[connection.client ?? 'confluent'](connection)
}

const ADAPTERS: Readonly<Record<ClientName, (connection: Connection) => Promise<KafkaClient>>> = {
  async confluent(connection) {
    return new ConfluentClient(await loadClient<Library>('@confluentinc/kafka-javascript', '^1.4.0'), connection)
  },
}
