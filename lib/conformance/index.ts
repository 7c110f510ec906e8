export type { ConformanceOptions, TestRunner } from './runner'
export { type SinkSubject, sinkConformance } from './sink'
export { type SourceSubject, sourceConformance } from './source'
