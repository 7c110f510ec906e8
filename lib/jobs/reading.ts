import { map, Observable } from 'rxjs'
import { OptionError } from '../errors'
import type { Gate } from '../sources/gate'
import { itemsOfSource, type Source } from './sources'

/** One source in one run of a job: where it stands, and what the outside knows of that. */
export class Reading<T = unknown, P = unknown> {
  source: Source<T, P> | undefined
  private subscribed = false
  private committed: P | undefined
  private readonly over = new AbortController()

  constructor(
    readonly name: string,
    /** Behind the last item that was given; undefined before the first. */
    public position: P | undefined,
  ) {}

  /** The items, while `gate` is open. `commitSoon` as in `Source.read`. */
  items(source: Source<T, P>, gate: Gate, commitSoon: () => void): Observable<T> {
    return new Observable<T>((out) => {
      if (this.subscribed) {
        throw new OptionError([`job.source: '${this.name}' is subscribed twice; share() it, or name two sources`])
      }
      this.subscribed = true
      this.source = source
      const { signal } = this.over
      out.add(() => this.over.abort())
      itemsOfSource(source, gate, () => this.position, signal, commitSoon)
        .pipe(
          map(([value, position]) => {
            this.position = position
            return value
          }),
        )
        .subscribe(out)
    })
  }

  /** `position` is in a checkpoint that is safe; `mark` is what it was when the checkpoint was taken. */
  async commit(position: P | undefined, mark: P | undefined): Promise<void> {
    if (position === undefined || mark === this.committed) return
    await this.source?.commit?.(position)
    this.committed = mark
  }

  async close(): Promise<void> {
    this.over.abort()
    await this.source?.close?.()
  }
}
