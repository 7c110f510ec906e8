import type { Subscriber } from 'rxjs'
import type { Change, Saved, StatePart, Value } from '../../checkpoint/part'
import { registerPart } from '../../checkpoint/scope'
import { StateFullError } from '../../errors'
import { type AnyAggregate, savingOf } from '../aggregates/aggregate'
import type { Item, StreamEvent, Watermark } from '../event'
import { Heap, type HeapEntry } from '../heap'
import type { SessionWindows } from './definition'
import { type ResultKind, type WindowResult, type WindowSettings, WindowStage } from './result'

interface Session<K> {
  readonly key: K
  start: number
  /** `gap` after the last item. */
  end: number
  accumulator: unknown
  /** The results that are out, which the next one takes the place of. */
  sent: { start: number; end: number }[]
  /** Whether the last of them was for the session as it is now. */
  told: boolean
  fresh: boolean
  /** The earliest entry that it has in the queue. */
  dueAt: number
  /** It has become a part of another one, or is over. */
  gone: boolean
}

/** Session windows: a key's sessions, oldest first, never overlap; an item that lies between two merges them. */
export class SessionWindowStage<T, R, K> extends WindowStage<T, R, K> implements StatePart {
  private readonly gap: number
  private readonly keys = new Map<K, Session<K>[]>()
  /** When to look at a session again; a session that has grown since is put back. */
  private readonly due = new Heap<Session<K>>()

  constructor(
    definition: SessionWindows,
    aggregate: AnyAggregate<T, R>,
    settings: WindowSettings<T, K>,
    out: Subscriber<StreamEvent<WindowResult<R, K>, K>>,
  ) {
    super(aggregate, settings, out)
    this.gap = definition.gap
    registerPart('inWindows', this)
  }

  protected onItem(item: Item<T, K>): void {
    const sessions = this.keys.get(item.key)
    let current = this.place(item, sessions)
    if (current === undefined) {
      if (item.time + this.gap + this.settings.lateness <= this.watermark) {
        this.setAside(item)
        return
      }
      current = this.open(item, sessions)
    }
    current.accumulator = this.aggregate.accumulate(current.accumulator, item.value)
    current.told = false
    if (current.end < current.dueAt) this.lookAt(current.end, current)
    if (current.end <= this.watermark) this.tell(current, 'late')
    else if (this.settings.early !== undefined) {
      current.fresh = true
      this.expectEarly()
    }
  }

  protected override onWatermark(watermark: Watermark): void {
    const { due } = this
    const { lateness } = this.settings
    this.watermark = watermark.time
    while (due.next <= watermark.time && due.next !== Number.POSITIVE_INFINITY) {
      const session = due.pop()!
      if (session.gone) continue
      if (session.end > watermark.time) {
        this.lookAt(session.end, session)
        continue
      }
      if (!session.told) this.tell(session, session.sent.length > 0 ? 'late' : 'final')
      if (session.end + lateness <= watermark.time) this.retire(session)
      else this.lookAt(session.end + lateness, session)
    }
    this.out.next(watermark)
  }

  protected sendEarly(): void {
    for (const sessions of this.keys.values()) {
      for (const session of sessions) {
        if (session.fresh) this.send(this.resultOf(session, 'early'), session.end - 1)
        session.fresh = false
      }
    }
  }

  /** Sessions are saved as a whole: the order in which they are due is part of what they are. */
  get size(): number {
    return 0
  }

  save(): Saved {
    const { save } = savingOf(this.aggregate)
    const sessions = new Map<Session<K>, number>()
    for (const list of this.keys.values()) for (const session of list) sessions.set(session, sessions.size)
    return {
      head: {
        watermark: this.watermark,
        sessions: Array.from(sessions.keys(), (session) => ({ ...session, accumulator: save(session.accumulator) })),
        due: this.due.save((session) => sessions.get(session)),
      },
      entries: [],
    }
  }

  load(head: unknown, _entries: Iterable<readonly [unknown, Change, unknown]>, migrate?: Value): void {
    const saved = head as { watermark: number; sessions: Session<K>[]; due: HeapEntry<number>[] }
    const { load } = savingOf(this.aggregate)
    this.watermark = saved.watermark
    const sessions = saved.sessions.map((session) => {
      const { accumulator, key } = session
      return { ...session, accumulator: load(migrate === undefined ? accumulator : migrate(accumulator, key)) }
    })
    for (const session of sessions) {
      const others = this.keys.get(session.key)
      if (others === undefined) this.keys.set(session.key, [session])
      else others.push(session)
    }
    this.due.load(saved.due, (number) => sessions[number]!)
    this.expectEarly()
  }

  /** The session that the item belongs to, made larger and merged with its neighbour where need be. */
  private place({ time }: Item<T, K>, sessions: Session<K>[] | undefined): Session<K> | undefined {
    if (sessions === undefined) return undefined
    const end = time + this.gap
    // From the newest: that is where most items go.
    let at = sessions.length - 1
    while (at >= 0 && sessions[at]!.start >= end) at--
    const session = sessions[at]
    if (session === undefined || session.end <= time) return undefined
    session.start = Math.min(session.start, time)
    session.end = Math.max(session.end, end)
    const before = sessions[at - 1]
    if (before === undefined || before.end <= session.start) return session
    this.merge(before, session)
    sessions.splice(at, 1)
    return before
  }

  private merge(into: Session<K>, from: Session<K>): void {
    into.accumulator = this.aggregate.combine(into.accumulator, from.accumulator)
    into.end = Math.max(into.end, from.end)
    into.sent.push(...from.sent)
    into.fresh ||= from.fresh
    from.gone = true
  }

  private open({ key, time }: Item<T, K>, sessions: Session<K>[] | undefined): Session<K> {
    const session: Session<K> = {
      key,
      start: time,
      end: time + this.gap,
      accumulator: this.aggregate.create(),
      sent: [],
      told: false,
      fresh: false,
      dueAt: time + this.gap,
      gone: false,
    }
    if (sessions === undefined) {
      const { maxKeys } = this.settings
      if (this.keys.size >= maxKeys) {
        throw new StateFullError(`inWindows: more than ${maxKeys} keys have open windows ('maxKeys')`)
      }
      this.keys.set(key, [session])
    } else {
      let at = sessions.length
      while (at > 0 && sessions[at - 1]!.start > time) at--
      sessions.splice(at, 0, session)
    }
    this.due.push(session.end, session)
    return session
  }

  private lookAt(time: number, session: Session<K>): void {
    session.dueAt = time
    this.due.push(time, session)
  }

  private tell(session: Session<K>, kind: ResultKind): void {
    const result = this.resultOf(session, kind)
    session.told = true
    session.fresh = false
    session.sent = [{ start: session.start, end: session.end }]
    this.send(result, session.end - 1)
  }

  private resultOf(session: Session<K>, kind: ResultKind): WindowResult<R, K> {
    const { key, start, end, sent } = session
    const value = this.aggregate.finish(session.accumulator)
    return sent.length === 0 ? { key, start, end, value, kind } : { key, start, end, value, kind, replaces: [...sent] }
  }

  private retire(session: Session<K>): void {
    session.gone = true
    const sessions = this.keys.get(session.key)!
    if (sessions.length === 1) this.keys.delete(session.key)
    else sessions.splice(sessions.indexOf(session), 1)
  }

  protected override dispose(): void {
    super.dispose()
    this.keys.clear()
  }
}
