import { AsyncLocalStorage } from 'node:async_hooks'
import type { PlannedStreamNode } from './plan'
import type { Message, Station, Traffic } from './station'
import type { StreamApi } from './types'

/** The message that code is at work on, however many awaits lie between. */
const atWork = new AsyncLocalStorage<Message>()

/** A node in JavaScript: a function, an object with `onMessage`, or none, which passes messages on. */
export class JavaScriptStation implements Station {
  readonly nodes: readonly string[]
  private readonly inbox: Message[] = []
  private at = 0
  private running = 0
  /** What has been sent goes out in the order of the messages. */
  private tail: Promise<void> = Promise.resolve()
  private started: boolean
  private scheduled = false
  private readonly api: StreamApi
  private readonly input: readonly unknown[]

  constructor(
    private readonly node: PlannedStreamNode,
    private readonly traffic: Traffic,
    private readonly defaultFlow: string,
  ) {
    this.nodes = [node.name]
    this.input = node.spec.input ?? []
    this.started = !node.stateful
    this.api = {
      signal: traffic.signal,
      sendMessage: (message, flowName) => this.send(message, flowName),
    }
  }

  get waiting(): number {
    return this.inbox.length - this.at + this.running
  }

  /** Runs `start`; messages wait until it has returned. */
  async start(): Promise<void> {
    const { name, state } = this.node
    try {
      await state?.start?.({ nodeName: name, input: this.input }, this.api)
    } catch (error) {
      if (!this.traffic.signal.aborted) this.traffic.broken(name, error)
      return
    }
    this.started = true
    this.schedule()
    if (this.node.isEntry) this.traffic.ended(name)
  }

  accept(message: Message): void {
    this.inbox.push(message)
    this.schedule()
  }

  async close(): Promise<void> {
    await this.node.state?.stop?.()
  }

  private schedule(): void {
    if (this.scheduled || !this.started) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.work()
    })
  }

  private work(): void {
    const { inbox, node, traffic } = this
    while (this.at < inbox.length && this.running < node.concurrency && !traffic.signal.aborted) {
      const message = inbox[this.at++]!
      if (this.at === inbox.length || this.at > 1024) {
        inbox.splice(0, this.at)
        this.at = 0
      }
      this.handle(message)
    }
  }

  private handle(message: Message): void {
    let result: unknown
    try {
      result = this.call(message)
    } catch (error) {
      this.settle(() => this.traffic.failed(this.node.name, error))
      return
    }
    if (!isThenable(result)) {
      // Nothing before it is on its way out: no promise is needed.
      if (this.running === 0) this.finish(message, result)
      else this.settle(() => this.finish(message, result), false)
      return
    }
    this.running++
    const before = this.tail
    this.tail = result
      .then(
        (value) => before.then(() => this.finish(message, value)),
        (error) =>
          before.then(() => {
            this.traffic.failed(this.node.name, error)
            this.traffic.finished(1)
          }),
      )
      .then(() => {
        this.running--
        this.schedule()
      })
  }

  private settle(act: () => void, done = true): void {
    const all = () => {
      act()
      if (done) this.traffic.finished(1)
    }
    if (this.running === 0) all()
    else {
      this.running++
      this.tail = this.tail.then(all).then(() => {
        this.running--
        this.schedule()
      })
    }
  }

  private finish(message: Message, result: unknown): void {
    try {
      if (result !== undefined && result !== null) this.traffic.emit(this.node.name, message.flow, result)
    } catch (error) {
      this.traffic.failed(this.node.name, error)
    }
    this.traffic.finished(1)
  }

  private call(message: Message): unknown {
    const { stateless, state, name } = this.node
    const { value, origin } = message
    if (stateless !== undefined) {
      const args = { nodeName: name, input: this.input, streamInput: { message: value, origin } }
      return atWork.run(message, stateless, args, this.api)
    }
    if (state === undefined) return value
    const answer = atWork.run(message, () => state.onMessage?.(value, origin))
    // What a stateful node sends, it sends itself.
    return isThenable(answer) ? answer.then(() => undefined) : undefined
  }

  private async send(value: unknown, flowName: string | undefined): Promise<void> {
    const message = atWork.getStore()
    const own = message !== undefined && message.node === this.node.name ? message : undefined
    this.traffic.emit(this.node.name, flowName ?? own?.flow ?? this.defaultFlow, value)
    // Who answers a message has its place already.
    if (own === undefined) await this.traffic.room()
  }
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
