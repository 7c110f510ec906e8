export type { ConnectorOptions } from '../options'
export type { AmqpServerOptions } from './connection'
export { type AmqpSinkOptions, amqpSink } from './sink'
export { type AmqpPosition, type AmqpSourceOptions, amqpSource } from './source'
