export type { HdfsOptions } from './client'
export { type HdfsSinkOptions, hdfsSink } from './sink'
export { type HdfsPosition, type HdfsSourceOptions, hdfsSource } from './source'
