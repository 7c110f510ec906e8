export type { WebSocketOptions } from './link'
export { type WebSocketSinkOptions, webSocketSink } from './sink'
export { type Message, type WebSocketSourceOptions, webSocketSource } from './source'
