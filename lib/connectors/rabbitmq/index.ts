export type { ConnectorOptions } from '../options'
export type { RabbitServerOptions } from './connection'
export { type RabbitSinkOptions, type RabbitTarget, rabbitSink } from './sink'
export { type RabbitPosition, type RabbitSourceOptions, rabbitSource } from './source'
