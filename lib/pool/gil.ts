import type { PythonInfo } from './locate'

/** How it stands with the GIL of a pool's Python; see PoolInfo. */
export type GilState = 'enabled' | 'disabled' | 'reenabled'

/** What the Python side says when the GIL of a free-threaded build is on; see python/rxjs_python/_gil.py. */
export interface GilNotice {
  gil: GilState
  imports: string[]
}

const STATES: readonly unknown[] = ['enabled', 'disabled', 'reenabled'] satisfies GilState[]

export function isGilNotice(notice: Partial<GilNotice>): notice is GilNotice {
  return STATES.includes(notice.gil) && isTexts(notice.imports)
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/**
 * What a pool knows of its Python's GIL. Free-threaded builds switch theirs on when an extension module is imported that
 * does not say that it works without: the first time, the process gets a warning.
 */
export class GilWatch {
  private state: GilState
  private readonly imports = new Set<string>()

  constructor(
    private readonly pool: string,
    python: PythonInfo,
  ) {
    this.state = python.freeThreaded && !python.gil ? 'disabled' : 'enabled'
  }

  info(): { gil: GilState; gilImports: string[] } {
    return { gil: this.state, gilImports: [...this.imports] }
  }

  take({ gil, imports }: GilNotice): void {
    const first = gil === 'reenabled' && this.state !== 'reenabled'
    this.state = gil
    for (const name of imports) this.imports.add(name)
    if (first) warn(this.pool, imports)
  }
}

function warn(pool: string, imports: string[]): void {
  const [what, does] = imports.length === 1 ? ['module', 'does'] : ['modules', 'do']
  process.emitWarning(
    `Python switched its GIL back on when the pool '${pool}' imported the extension ${what} ${imports.join(', ')}, which ` +
      `${does} not say that threads may run in parallel there: from now on they take turns. ` +
      `Use a version made for free-threaded Python, or isolation 'process' with an ordinary one`,
    { type: 'RxjsPythonWarning', code: 'RXJS_PYTHON_GIL' },
  )
}
