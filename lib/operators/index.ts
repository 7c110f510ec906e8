export { filterPython } from './filterPython'
export { flatMapPython } from './flatMapPython'
export { mapPython } from './mapPython'
export type {
  BatchOptions,
  DeadLetter,
  OnError,
  OperatorOptions,
  Overflow,
  SeedOptions,
  SpecOperatorOptions,
} from './options'
export { scanPython } from './scanPython'
