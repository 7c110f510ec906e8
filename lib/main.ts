/**
 * What the built package is made of, in one file, so that what its entries share (the default pool, gates, error classes)
 * exists once. Each entry of the package is one of these names.
 */
export * as batch from './batch'
export * as cli from './cli'
export * as graph from './graph'
export * as index from './index'
export * as jobs from './jobs'
export * as streams from './streams'
export * as testing from './testing'
