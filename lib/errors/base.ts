/** The base of every error that this package makes. `code` is stable; messages may change. */
export class RxjsPythonError extends Error {
  /** A name for programs to compare with, such as `ERR_TIMEOUT`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    nameOf(this, new.target.name)
  }
}

/** One or more options are wrong (`ERR_OPTION`); all problems are reported at once. */
export class OptionError extends RxjsPythonError {
  /** One sentence for each problem. */
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super('ERR_OPTION', problems.length === 1 ? problems[0]! : `${problems.length} options are wrong:${list(problems)}`)
    this.problems = [...problems]
  }
}

/** Like the name of a built-in error: there, and not among the properties that a console shows. */
export function nameOf(error: Error, name: string): void {
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true })
}

export function list(entries: readonly string[]): string {
  return entries.map((entry) => `\n  - ${entry}`).join('')
}

export function indent(text: string): string {
  return text.trimEnd().replace(/^(?=.)/gm, '  ')
}
