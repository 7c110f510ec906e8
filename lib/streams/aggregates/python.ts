import { map, Observable, type OperatorFunction, type Subscriber } from 'rxjs'
import { Checker } from '../../checker'
import type { Saved, StatePart } from '../../checkpoint/part'
import { currentStep, registerPart, type StepOfJob } from '../../checkpoint/scope'
import { withStep } from '../../jobs/step'
import { mapPython } from '../../operators/mapPython'
import type { SpecOperatorOptions } from '../../operators/options'
import { isHandlerSpec } from '../../options'
import type { HandlerSpec } from '../../pool/handler'
import { type EventOperator, Item, type StreamEvent } from '../event'
import { EventStage, stageOperator } from '../stage'
import { throughItems } from '../through'
import type { Aggregate } from './aggregate'

export type PythonAggregateOptions = Pick<
  SpecOperatorOptions<Program, unknown>,
  'pool' | 'init' | 'timeout' | 'signal' | 'metrics'
>

const KNOWN = ['pool', 'init', 'timeout', 'signal', 'metrics']

/** An aggregate whose parts are in Python; made by `pythonAggregate`. */
export class PythonAggregate<T, R> {
  /** @internal The types of values and results, which nothing else shows. */
  declare readonly types?: (value: T) => R

  /** @internal */
  constructor(
    readonly handler: HandlerSpec,
    readonly options: PythonAggregateOptions,
  ) {}
}

/**
 * An aggregate of your own in Python, for `inWindows` and `rolling`: a class with `create(self)`, `accumulate(self, accumulator,
 * value)`, `combine(self, into, other)` and `finish(self, accumulator)`, with the same duties as in JavaScript.
 *
 * The accumulators live in one interpreter, which gets what happened to them in batches. When it is lost, or the pool changes its
 * size, the stream ends with an error.
 */
export function pythonAggregate<T = unknown, R = unknown>(
  handler: HandlerSpec,
  options: PythonAggregateOptions = {},
): PythonAggregate<T, R> {
  const check = new Checker('pythonAggregate')
  if (!isHandlerSpec(handler))
    check.problem("the handler must be a name such as 'module:Class', or { source }", handler)
  check.object('options', options, KNOWN)
  check.done()
  // Checks the rest as well.
  mapPython(handler, options)
  return new PythonAggregate(handler, options)
}

/** What happened since the last program, in steps, and the accumulator whose result is wanted. */
type Program = [steps: unknown[], wanted: number | null]

const CREATE = 0
const ACCUMULATE = 1
const COMBINE = 2
const DROP = 3
/** Length of a program after which it is sent although nobody wants a result. */
const FULL = 1 << 13

/** Numbers of accumulators and of streams; never used again, since one interpreter may have several streams' at once. */
let accumulators = 0
let streams = 0

/** An accumulator in Python. */
class Remote {
  constructor(readonly number: number) {}
}

/** What a checkpoint has of a `Recorder`. */
interface SavedSteps {
  steps: unknown[]
  held: number[]
}

/** In place of a result that Python has not given yet. */
class Wanted {
  constructor(readonly program: Program) {}
}

/** The aggregate that JavaScript works with: it writes down what is to be done. */
class Recorder<T> implements Aggregate<T, Remote, Wanted> {
  /** Takes a program that has become long. */
  send: ((program: Program) => void) | undefined
  private steps: unknown[] = []
  private readonly gone = new FinalizationRegistry<number>((number) => this.drop(number))
  /** In jobs: the numbers that Python has, or is about to. */
  private readonly held: Set<number> | undefined
  /** What a checkpoint has brought back, until the first program; undefined as long as nobody has asked for it. */
  private restored: Map<number, Remote | undefined> | undefined

  /** Registers before the operator that works with it, so that it is restored before it as well. */
  constructor(register: (kind: string, part: StatePart) => boolean) {
    if (register('pythonAggregate', { size: 0, save: () => this.saveSteps(), load: (head) => this.loadSteps(head) })) {
      this.held = new Set()
    }
  }

  readonly create = (): Remote => {
    const remote = new Remote(accumulators++)
    this.steps.push(CREATE, remote.number)
    this.keep(remote)
    return remote
  }

  readonly accumulate = (into: Remote, value: T): Remote => {
    this.steps.push(ACCUMULATE, into.number, value)
    return into
  }

  readonly combine = (into: Remote, from: Remote): Remote => {
    this.steps.push(COMBINE, into.number, from.number)
    return into
  }

  readonly finish = ({ number }: Remote): Wanted => new Wanted(this.take(number))

  sendIfFull(): void {
    if (this.steps.length >= FULL) this.send?.(this.take(null))
  }

  /** For checkpoints: the number, under which Python saves the accumulator. */
  readonly save = ({ number }: Remote): number => number

  readonly load = (saved: unknown): Remote => {
    const number = saved as number
    const known = this.restored?.get(number)
    if (known !== undefined) return known
    const remote = new Remote(number)
    this.keep(remote)
    this.restored?.set(number, remote)
    return remote
  }

  /** What Python has not been told yet, and what it has that nobody may ask for any more. */
  private saveSteps(): Saved {
    return { head: { steps: this.steps, held: [...this.held!] } satisfies SavedSteps, entries: [] }
  }

  private loadSteps(head: unknown): void {
    const { steps, held } = head as SavedSteps
    this.steps = steps
    this.restored = new Map()
    for (const number of held) {
      this.restored.set(number, undefined)
      this.held!.add(number)
      accumulators = Math.max(accumulators, number + 1)
    }
  }

  private keep(remote: Remote): void {
    this.gone.register(remote, remote.number)
    this.held?.add(remote.number)
  }

  private drop(number: number): void {
    this.steps.push(DROP, number)
    this.held?.delete(number)
  }

  /** What was on its way to be dropped when the checkpoint was taken. */
  private dropOrphans(restored: ReadonlyMap<number, Remote | undefined>): void {
    this.restored = undefined
    for (const [number, remote] of restored) if (remote === undefined) this.drop(number)
  }

  private take(wanted: number | null): Program {
    if (this.restored !== undefined) this.dropOrphans(this.restored)
    const { steps } = this
    this.steps = []
    return [steps, wanted]
  }
}

/** A program on its way; `result` is what its answer belongs to, undefined where nobody wants one. */
interface Sent<O> {
  program: Program
  result: O | undefined
}

/**
 * An operator on event streams that aggregates, with an aggregate in Python.
 *
 * @param make makes the operator for the aggregate that is to be used in its place
 * @param wanted finds what its results have in place of the aggregate's
 * @param settled makes a result with what Python gave
 */
export function withPython<T, R, O, K>(
  { handler, options }: PythonAggregate<T, R>,
  make: (aggregate: Aggregate<T, unknown, unknown>) => EventOperator<T, O, K>,
  wanted: (result: O) => unknown,
  settled: (result: O, value: R) => O,
): EventOperator<T, O, K> {
  return (source) =>
    new Observable<StreamEvent<O, K>>((out) => {
      const recorder = new Recorder<T>(registerPart)
      const run = mapPython<Program, R>(handler, { ...options, batch: 256, key: `aggregate ${streams++}` })
      return source
        .pipe(
          stageOperator<StreamEvent<T, K>, StreamEvent<T, K>>((inner) => new AfterEach(recorder, inner)),
          // What `migrate` is for is in Python; here are only numbers.
          withStep(migrates(currentStep()), make(recorder as Aggregate<T, unknown, unknown>)),
          stageOperator<StreamEvent<O, K>, StreamEvent<Sent<O>, K>>((inner) => new Programs(recorder, wanted, inner)),
          throughItems<Sent<O>, { result: O } | undefined, K>(answered(run, settled)),
          stageOperator<StreamEvent<{ result: O } | undefined, K>, StreamEvent<O, K>>((inner) => new Answers(inner)),
        )
        .subscribe(out)
    })
}

function migrates(step: StepOfJob | undefined): StepOfJob | undefined {
  return step === undefined ? undefined : { ...step, migrate: (value) => value }
}

/** Sends long programs, once what an event causes is done. */
class AfterEach<T, K> extends EventStage<T, T, K, K> {
  constructor(
    private readonly recorder: Recorder<T>,
    out: Subscriber<StreamEvent<T, K>>,
  ) {
    super(out)
  }

  protected onItem(item: Item<T, K>): void {
    this.out.next(item)
    this.recorder.sendIfFull()
  }
}

class Programs<O, K> extends EventStage<O, Sent<O>, K, K> {
  constructor(
    recorder: Recorder<never>,
    private readonly wanted: (result: O) => unknown,
    out: Subscriber<StreamEvent<Sent<O>, K>>,
  ) {
    super(out)
    recorder.send = (program) => out.next(new Item({ program, result: undefined }, 0, undefined as K))
  }

  protected onItem({ value, time, key }: Item<O, K>): void {
    const { program } = this.wanted(value) as Wanted
    this.out.next(new Item({ program, result: value }, time, key))
  }
}

/** Programs to Python, and each answer to where it belongs. */
function answered<O, R>(
  run: OperatorFunction<Program, R>,
  settled: (result: O, value: R) => O,
): OperatorFunction<Sent<O>, { result: O } | undefined> {
  return (programs) => {
    let waiting: (O | undefined)[] = []
    let first = 0
    return programs.pipe(
      map(({ program, result }) => {
        waiting.push(result)
        return program
      }),
      run,
      map((value) => {
        const result = waiting[first++]
        if (first === 1024) {
          waiting = waiting.slice(first)
          first = 0
        }
        return result === undefined ? undefined : { result: settled(result, value) }
      }),
    )
  }
}

class Answers<O, K> extends EventStage<{ result: O } | undefined, O, K, K> {
  protected onItem({ value, time, key }: Item<{ result: O } | undefined, K>): void {
    if (value !== undefined) this.out.next(new Item(value.result, time, key))
  }
}
