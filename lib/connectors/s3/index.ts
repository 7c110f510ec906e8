export type { S3Options } from './client'
export { type S3SinkOptions, s3Sink } from './sink'
export { type S3Position, type S3SourceOptions, s3Source } from './source'
