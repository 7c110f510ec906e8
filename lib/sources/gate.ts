/**
 * Backpressure, which RxJS has none of: a stage that holds items puts up a gate and closes it while it is full; a source
 * that can stop pulling does so while a gate before it is closed.
 *
 * A source learns of the gates before it in two ways. When it is subscribed, the gate of the nearest stage downstream is
 * in scope (the stage subscribes to what lies upstream within its scope). And while a source emits, a stage that is
 * full tells that very source: this reaches a stage that subscribed later, as behind `share()` or a Subject.
 */

/** What is in force on the JavaScript thread at this moment; each subscription and each burst of items has its own. */
export interface Scope {
  /** The gate of the stage that is being subscribed, or that the running code feeds. */
  readonly gate: Gate | undefined
  /** The gates that the source or stage which emits right now minds. */
  readonly emitter: GateSet | undefined
}

let current: Scope | undefined

/** Puts a scope in force and returns the one before it, for `leaveScope`. For use in `try … finally`. */
export function enterScope(scope: Scope): Scope | undefined {
  const outer = current
  current = scope
  return outer
}

/** Puts back what `enterScope` returned. */
export function leaveScope(outer: Scope | undefined): void {
  current = outer
}

/** The gate that whatever is subscribed now should mind, if there is one. */
export function gateInScope(): Gate | undefined {
  return current?.gate
}

/** Runs `subscribe` with `gate` in scope: every pull source that it subscribes minds the gate. */
export function subscribeWithin(gate: Gate, subscribe: () => void): void {
  const outer = enterScope({ gate, emitter: current?.emitter })
  try {
    subscribe()
  } finally {
    leaveScope(outer)
  }
}

/** A stage's sign to the sources upstream: closed while the stage holds as much as it should. */
export class Gate {
  private shut = false
  private gone = false
  private isFed = false
  /** In the order in which they should be served; the one that filled the stage last is the last. */
  private readonly minders = new Set<GateSet>()

  /** `beyond` are the gates that the owner of this one minds itself, further downstream. */
  constructor(private readonly beyond?: GateSet) {}

  get closed(): boolean {
    return this.shut
  }

  /** Whether a stage was subscribed by the owner of this gate, directly or through other operators. */
  get fed(): boolean {
    return this.isFed
  }

  /** A stage is subscribed by the owner of this gate. */
  feed(): void {
    this.isFed = true
  }

  /** Closes the gate; while a source emits, that source is told even where it was not subscribed within scope. */
  close(): void {
    if (this.gone) return
    const emitter = current?.emitter
    if (!this.shut) {
      this.shut = true
      for (const minder of this.minders) minder.gateClosed()
      // Who filled the stage is served last next time, or one of several sources would take all the room for ever.
      if (emitter !== undefined && this.minders.delete(emitter)) this.minders.add(emitter)
    }
    emitter?.add(this)
  }

  open(): void {
    if (!this.shut) return
    this.shut = false
    for (const minder of [...this.minders]) minder.gateOpened()
  }

  /** Opens the gate for good: its stage has ended. */
  dispose(): void {
    if (this.gone) return
    this.gone = true
    this.open()
    for (const minder of this.minders) minder.forget(this)
    this.minders.clear()
  }

  /** For GateSet alone. Returns false where the gate's stage has ended. */
  join(minder: GateSet): boolean {
    if (this.gone) return false
    this.minders.add(minder)
    return true
  }

  /** For GateSet alone. */
  leave(minder: GateSet): void {
    this.minders.delete(minder)
  }

  /** Whether the owner of this gate waits, itself or through others, for `other` to open. */
  waitsFor(other: Gate, seen: Set<Gate> = new Set()): boolean {
    if (seen.has(this)) return false
    seen.add(this)
    for (const next of this.beyond ?? []) {
      if (next === other || next.waitsFor(other, seen)) return true
    }
    return false
  }
}

/** The gates that one source, or one stage, minds. */
export class GateSet implements Iterable<Gate> {
  /** How many of the gates are closed: 0 means go. A plain field, because it is read for every item. */
  closed = 0
  private readonly gates = new Set<Gate>()
  private owner: Gate | undefined
  private waking = false
  private disposed = false

  /** `onOpen` is called from a microtask of its own after the last closed gate opened. */
  constructor(private readonly onOpen: () => void) {
    const gate = gateInScope()
    if (gate !== undefined) this.add(gate)
  }

  /** Names the gate of the stage that minds these, so that a circle of stages never waits for itself. */
  ownedBy(gate: Gate): void {
    this.owner = gate
  }

  add(gate: Gate): void {
    if (this.disposed || this.gates.has(gate)) return
    const owner = this.owner
    if (owner !== undefined && (gate === owner || gate.waitsFor(owner))) return
    if (!gate.join(this)) return
    this.gates.add(gate)
    if (gate.closed) this.closed++
  }

  [Symbol.iterator](): Iterator<Gate> {
    return this.gates.values()
  }

  dispose(): void {
    this.disposed = true
    for (const gate of this.gates) gate.leave(this)
    this.gates.clear()
    this.closed = 0
  }

  /** For Gate alone. */
  gateClosed(): void {
    this.closed++
  }

  /** For Gate alone. */
  gateOpened(): void {
    this.closed--
    if (this.closed > 0 || this.waking || this.disposed) return
    this.waking = true
    // Never from within the stage that opened the gate: it may be in the middle of its own work.
    queueMicrotask(() => {
      this.waking = false
      if (this.closed === 0 && !this.disposed) this.onOpen()
    })
  }

  /** For Gate alone: the gate's stage has ended. */
  forget(gate: Gate): void {
    this.gates.delete(gate)
  }
}
