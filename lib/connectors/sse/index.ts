export { type EventSink, type EventSinkOptions, eventSink } from './sink'
export { type EventPosition, type EventSourceOptions, eventSource } from './source'
