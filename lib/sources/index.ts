export { fromIterable, type IterableInput } from './fromIterable'
