import { RxjsPythonError } from './base'

/** A connector's client package is not installed, or in a version that does not fit (`ERR_CLIENT_MISSING`). */
export class ClientMissingError extends RxjsPythonError {
  constructor(
    /** The package to install. */
    readonly packageName: string,
    /** The versions that fit. */
    readonly range: string,
    /** The version that is there. */
    readonly found: string | undefined,
    options?: ErrorOptions,
  ) {
    const newest = range.split('||').at(-1)!.trim()
    const what = found === undefined ? 'is not installed' : `is there in version ${found}, and ${range} is needed`
    super(
      'ERR_CLIENT_MISSING',
      `the package ${packageName} ${what}: run 'npm install ${packageName}@${newest}'`,
      options,
    )
  }
}

/** A connector could not reach its server, or lost it, and `retry` allows no more attempts (`ERR_CONNECTION`). */
export class ConnectionError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_CONNECTION', message, options)
  }
}

/**
 * A database is not as a connector needs it: `ERR_DATABASE_SETUP` (a table, a key, a setting or a right is missing),
 * `ERR_DATABASE_LOG` (its log no longer has what lies behind the position), `ERR_DATABASE_BUSY` (another connection writes
 * under the same name).
 */
export class DatabaseError extends RxjsPythonError {
  constructor(
    code: 'ERR_DATABASE_SETUP' | 'ERR_DATABASE_LOG' | 'ERR_DATABASE_BUSY',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** A stream, a queue or a consumer is missing, or is not as a connector needs it (`ERR_QUEUE_SETUP`): the server says the same next time. */
export class QueueError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_QUEUE_SETUP', message, options)
  }
}

/**
 * Something about Kafka: `ERR_KAFKA_CLIENT` (what the client reports), `ERR_KAFKA_FENCED` (another producer has taken over), `ERR_KAFKA_TOPIC`
 * (a topic is missing, or not as it has to be), `ERR_KAFKA_STATE` (state and offsets do not belong together),
 * `ERR_KAFKA_BROKER` (the broker for tests does not start).
 */
export class KafkaError extends RxjsPythonError {
  constructor(
    code: 'ERR_KAFKA_CLIENT' | 'ERR_KAFKA_FENCED' | 'ERR_KAFKA_TOPIC' | 'ERR_KAFKA_STATE' | 'ERR_KAFKA_BROKER',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/**
 * Avro and its registry: `ERR_SCHEMA` (a record or a schema that does not fit, or that the registry refuses), `ERR_SCHEMA_REGISTRY` (the
 * registry cannot be reached).
 */
export class SchemaError extends RxjsPythonError {
  constructor(code: 'ERR_SCHEMA' | 'ERR_SCHEMA_REGISTRY', message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
