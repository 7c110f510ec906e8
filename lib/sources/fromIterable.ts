import { config, Observable, type Subscriber } from 'rxjs'
import { enterScope, type Gate, GateSet, gateInScope, leaveScope, type Scope } from './gate'
import { Turn } from './turn'

/** What `fromIterable` takes: anything that `for` or `for await` can go over, or a function that makes one. */
export type IterableInput<T> = Iterable<T> | AsyncIterable<T> | (() => Iterable<T> | AsyncIterable<T>)

/**
 * A source that is pulled: it takes an item only when the Python stages downstream have room for it, so a file or a
 * database cursor of any size streams through in bounded memory.
 *
 * - It starts in a microtask after it was subscribed, so that all subscribers of a `share()` are there.
 * - It lets the event loop turn every few milliseconds.
 * - A function is called for each subscription; an iterator that can run only once serves only one.
 * - Unsubscribing calls the iterator's `return()`, so files and cursors are closed.
 *
 * What `next()` throws is the stream's error.
 */
export function fromIterable<T>(input: IterableInput<T>): Observable<T> {
  return fromIterableMinding(input, undefined)
}

/** `fromIterable` that also stops while `gate` is closed, wherever it is subscribed. */
export function fromIterableMinding<T>(input: IterableInput<T>, gate: Gate | undefined): Observable<T> {
  return pulled(gate, (subscriber) => {
    const iterable = typeof input === 'function' ? input() : input
    return isAsync(iterable)
      ? new ItemPuller(iterable[Symbol.asyncIterator](), subscriber)
      : new SyncPuller(iterable[Symbol.iterator](), subscriber)
  })
}

/** The items of lists that come by and by. An item costs no promise then; a gate stops it within a list, too. */
export function fromListsMinding<T>(input: () => AsyncIterable<readonly T[]>, gate: Gate | undefined): Observable<T> {
  return pulled(gate, (subscriber) => new ListPuller(input()[Symbol.asyncIterator](), subscriber))
}

function pulled<T>(gate: Gate | undefined, make: (subscriber: Subscriber<T>) => Puller<T>): Observable<T> {
  return new Observable<T>((subscriber) => {
    const puller = make(subscriber)
    if (gate !== undefined) puller.mind(gate)
    subscriber.add(() => puller.stop())
    queueMicrotask(() => puller.wake())
  })
}

function isAsync<T>(iterable: Iterable<T> | AsyncIterable<T>): iterable is AsyncIterable<T> {
  return typeof iterable !== 'string' && Symbol.asyncIterator in iterable
}

/** Pulls while nobody downstream is full; `wake` is harmless at any time. */
abstract class Puller<T> {
  protected readonly gates = new GateSet(() => this.wake())
  protected readonly turn = new Turn()
  /** In force while items go downstream: what subscribes there minds the same gate, and who is full tells this source. */
  private readonly scope: Scope = { gate: gateInScope(), emitter: this.gates }
  protected minded: Gate | undefined
  protected yielding = false
  protected pulling = false
  protected finished = false
  protected stopped = false

  constructor(protected readonly subscriber: Subscriber<T>) {}

  wake(): void {
    if (this.pulling || this.yielding || this.stopped || this.finished || this.gates.closed > 0) return
    this.pull()
  }

  stop(): void {
    this.stopped = true
    this.gates.dispose()
    // A generator cannot be closed while it runs: then `pull` closes it afterwards.
    if (!this.finished && !this.pulling) this.close()
  }

  /** From when `gate` closes until it opens no item goes out, not even one that was asked for before. */
  mind(gate: Gate): void {
    this.minded = gate
    this.gates.add(gate)
  }

  protected abstract pull(): void
  protected abstract close(): void

  protected yield(): void {
    if (this.yielding) return
    this.yielding = true
    setImmediate(() => {
      this.yielding = false
      this.turn.begin()
      this.wake()
    })
  }

  protected within(emit: () => void): void {
    const outer = enterScope(this.scope)
    try {
      emit()
    } finally {
      leaveScope(outer)
    }
  }

  protected finish(error?: { value: unknown }): void {
    this.finished = true
    if (error) this.within(() => this.subscriber.error(error.value))
    else this.within(() => this.subscriber.complete())
  }
}

class SyncPuller<T> extends Puller<T> {
  private failure: { value: unknown } | undefined

  constructor(
    private readonly iterator: Iterator<T>,
    subscriber: Subscriber<T>,
  ) {
    super(subscriber)
  }

  private readonly burst = (): void => {
    const { iterator, subscriber, gates, turn } = this
    // While the iterator runs, what is thrown is its error; while items go downstream, it is not.
    let asking = false
    try {
      while (gates.closed === 0 && !this.stopped) {
        asking = true
        const result = iterator.next()
        asking = false
        if (result.done) {
          this.finished = true
          return
        }
        if (this.stopped) return
        subscriber.next(result.value)
        if (turn.spent()) {
          this.yield()
          return
        }
      }
    } catch (error) {
      if (!asking) throw error
      // An iterator that throws is over, and must not be asked to return.
      this.finished = true
      this.failure = { value: error }
    }
  }

  protected pull(): void {
    this.pulling = true
    try {
      this.within(this.burst)
    } finally {
      this.pulling = false
    }
    if (this.finished) this.finish(this.failure)
    else if (this.stopped) {
      try {
        this.close()
      } catch (error) {
        report(error)
      }
    }
  }

  protected close(): void {
    this.finished = true
    this.iterator.return?.()
  }
}

/** Pulls what comes by promises: `R` is an item, or several. */
abstract class AsyncPuller<T, R> extends Puller<T> {
  /** What came and is not out: the minded gate had closed meanwhile, or a gate closes within it. */
  private held: IteratorResult<R> | undefined

  constructor(
    private readonly iterator: AsyncIterator<R>,
    subscriber: Subscriber<T>,
  ) {
    super(subscriber)
  }

  /** False where some of it is left, for a later call. */
  protected abstract emit(result: R): boolean

  protected pull(): void {
    this.pulling = true
    this.run().then(
      () => {
        this.pulling = false
        if (this.stopped) this.close()
        // A gate may have opened between the end of the loop and now.
        else this.wake()
      },
      (error: unknown) => {
        this.pulling = false
        this.finish({ value: error })
      },
    )
  }

  /** One `next()` at a time, as `for await` does it. */
  private async run(): Promise<void> {
    while (!this.stopped && this.gates.closed === 0) {
      this.held ??= await this.iterator.next()
      const result = this.held
      if (this.stopped || this.minded?.closed) return
      if (result.done) {
        this.finish()
        return
      }
      this.held = undefined
      if (!this.emit(result.value)) this.held = result
      if (this.yielding) return
    }
  }

  override stop(): void {
    const waiting = this.pulling && !this.finished
    super.stop()
    // An async iterator queues `return()` behind the `next()` that it is waiting in, so it can be asked at once.
    if (waiting) this.close()
  }

  protected close(): void {
    if (this.finished) return
    this.finished = true
    try {
      this.iterator.return?.()?.then(undefined, report)
    } catch (error) {
      report(error)
    }
  }
}

class ItemPuller<T> extends AsyncPuller<T, T> {
  protected emit(item: T): boolean {
    this.within(() => this.subscriber.next(item))
    if (this.turn.spent()) this.yield()
    return true
  }
}

class ListPuller<T> extends AsyncPuller<T, readonly T[]> {
  private list: readonly T[] = []
  /** So many of the list are out. */
  private out = 0

  protected emit(list: readonly T[]): boolean {
    this.list = list
    this.within(this.burst)
    if (this.out < list.length) return false
    this.list = []
    this.out = 0
    return true
  }

  private readonly burst = (): void => {
    const { list, subscriber, gates, turn } = this
    while (this.out < list.length && gates.closed === 0 && !this.stopped) {
      subscriber.next(list[this.out++]!)
      if (turn.spent()) {
        this.yield()
        return
      }
    }
  }
}

/** A clean-up that fails after everybody has left: to the handler that RxJS has for such errors, or a warning. */
function report(error: unknown): void {
  if (config.onUnhandledError) config.onUnhandledError(error)
  else process.emitWarning(`closing an iterator failed: ${error instanceof Error ? error.stack : String(error)}`)
}
