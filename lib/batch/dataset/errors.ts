import { RxjsPythonError } from '../../errors'

/** What a step threw, on its way to the run that knows the partition. */
export class StepFailure extends Error {
  constructor(
    readonly step: string,
    readonly reason: unknown,
  ) {
    super(step)
  }
}

/** A partition of a dataset could not be computed (`ERR_PARTITION`). `cause` is what was thrown. */
export class PartitionError extends RxjsPythonError {
  constructor(
    /** The step that failed, such as `mapPython(salary:handle)`. */
    readonly step: string,
    /** The partition's number; the first is 0. */
    readonly partition: number,
    /** How many there are. */
    readonly partitions: number,
    /** How often it was tried; more than once only where a worker process was lost. */
    readonly attempts: number,
    cause: unknown,
  ) {
    const times = attempts === 1 ? '' : `, tried ${attempts} times,`
    const why = cause instanceof Error ? cause.message : String(cause)
    super('ERR_PARTITION', `partition ${partition} of ${partitions}${times} failed in ${step}: ${why}`, { cause })
  }
}

/** A file has something in it that its format does not allow (`ERR_FILE_FORMAT`). */
export class FileFormatError extends RxjsPythonError {
  constructor(
    readonly path: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super('ERR_FILE_FORMAT', `${path}: ${message}`, options)
  }
}

/** A package that reads a file format is not installed (`ERR_MISSING_PACKAGE`). */
export class MissingPackageError extends RxjsPythonError {
  constructor(
    /** The package to install. */
    readonly packageName: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super('ERR_MISSING_PACKAGE', message, options)
  }
}
