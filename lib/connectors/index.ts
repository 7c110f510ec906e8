/** What connectors have in common, for users' own ones, too. */
export { loadClient } from './client'
export type { CodecOption, RecordCodec } from './codec'
export { type DeadLetter, type DeadLetterOption, DeadLetters } from './deadLetters'
export type { ConnectorOptions } from './options'
export { Backoff, pause, type Retry, type RetryOptions, retrying } from './retry'
export { redact, redactUrl, safeError, secretsOf } from './secrets'
