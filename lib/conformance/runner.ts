/** What runs the tests: mocha's globals, or `describe` and `it` of `node:test` and the like. */
export interface TestRunner {
  describe(title: string, tests: () => void): unknown
  it(title: string, test: () => Promise<void>): unknown
}

export interface ConformanceOptions extends Partial<TestRunner> {
  /** Milliseconds that the outside may take for a step (default 30,000). */
  patience?: number
}

/** What the set-up of each test gives; `dispose` is called after it, whatever has happened. */
export interface Disposes {
  dispose?(): Promise<void> | void
}

/** A test that gets what `setup` makes for it alone. */
export type Check<S> = (subject: S, patience: number) => Promise<void>

/** Declares the checks as tests of their own. */
export function declare<S extends Disposes>(
  title: string,
  setup: () => Promise<S> | S,
  checks: readonly (readonly [title: string, check: Check<S>])[],
  options: ConformanceOptions,
): void {
  const globals = globalThis as Partial<TestRunner>
  const describe = options.describe ?? globals.describe
  const it = options.it ?? globals.it
  if (describe === undefined || it === undefined) {
    throw new TypeError("there is no test runner: give { describe, it }, such as from 'node:test'")
  }
  const patience = options.patience ?? 30_000
  describe(title, () => {
    for (const [name, check] of checks) {
      it(name, async () => {
        const subject = await setup()
        try {
          await check(subject, patience)
        } finally {
          await subject.dispose?.()
        }
      })
    }
  })
}

/** The promise, or an error that says what was waited for in vain. */
export async function within<R>(patience: number, what: string, promise: Promise<R> | R): Promise<R> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${patience / 1000} s`)), patience)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A wait that is long enough for what must not happen to happen. */
export const MOMENT = 300
