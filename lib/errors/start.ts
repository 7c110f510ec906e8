import { indent, list, RxjsPythonError } from './base'

/** No Python was found where one was looked for (`ERR_PYTHON_NOT_FOUND`). */
export class PythonNotFoundError extends RxjsPythonError {
  /** The places that were looked at, in order. */
  readonly tried: readonly string[]

  constructor(message: string, tried: readonly string[] = [], options?: ErrorOptions) {
    super('ERR_PYTHON_NOT_FOUND', tried.length > 0 ? `${message} Looked at:${list(tried)}` : message, options)
    this.tried = [...tried]
  }
}

/**
 * A Python that cannot be embedded: `ERR_PYTHON_TOO_OLD`, `ERR_PYTHON_NO_SHARED_LIBRARY`, or `ERR_PYTHON_BROKEN` (does
 * not run, is not CPython, was built for another machine).
 */
export class PythonUnusableError extends RxjsPythonError {
  /** The executable in question. */
  readonly executable: string

  constructor(
    code: 'ERR_PYTHON_TOO_OLD' | 'ERR_PYTHON_NO_SHARED_LIBRARY' | 'ERR_PYTHON_BROKEN',
    executable: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, `${executable}: ${message}`, options)
    this.executable = executable
  }
}

/**
 * Python was found and could not be started in this process: `ERR_PYTHON_START`, `ERR_PYTHON_CONFLICT` (another Python
 * already runs here), `ERR_NAMESPACE` (no further private copy of it could be made).
 */
export class PythonStartError extends RxjsPythonError {
  constructor(
    code: 'ERR_PYTHON_START' | 'ERR_PYTHON_CONFLICT' | 'ERR_NAMESPACE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** The environment for `requirements` could not be made (`ERR_REQUIREMENTS`). */
export class RequirementsError extends RxjsPythonError {
  /** The end of what the installer printed, without credentials. */
  readonly output: string

  constructor(message: string, output = '', options?: ErrorOptions) {
    super('ERR_REQUIREMENTS', output ? `${message}\n${indent(output)}` : message, options)
    this.output = output
  }
}

/** The native part of the package could not be loaded (`ERR_NATIVE_LOAD`). */
export class NativeLoadError extends RxjsPythonError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_NATIVE_LOAD', message, options)
  }
}
