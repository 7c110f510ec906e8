import { type ErrorReport, PythonError } from '../../errors'
import type { Handler } from '../../pool/handler-types'
import type { PythonPool } from '../../pool/pool'
import { specOf } from '../python'
import type { Flow } from './flows'
import type { GraphPlan, PlannedStreamNode } from './plan'
import type { Message, Station, Traffic } from './station'

/** What Python is sent of a message: node, origin, flow (as numbers) and value. */
type Sent = [node: number, origin: number, flow: number, value: unknown]

/** What comes back for each: node, flow and value of everything that leaves the station, one after the other. */
type Answer = unknown[]

const FAILED = -1
const COUNTS = -2
/** A message that tells the nodes to end. */
const STOP = -1

/** The names by which both sides call things, as numbers. */
export class Names {
  readonly nodes: readonly string[]
  readonly flows: readonly string[]

  constructor(plan: GraphPlan) {
    this.nodes = ['', ...plan.nodes.map(({ name }) => name)]
    this.flows = [...plan.flows.keys()]
  }
}

/** What the Python side, rxjs_python/_stream.py, is told of its part of the graph. */
export function configOf(
  plan: GraphPlan,
  names: Names,
  nodes: readonly PlannedStreamNode[],
  pool: PythonPool,
  callback: string,
): string {
  const inside = new Set(nodes.map(({ name }) => name))
  const number = (name: string) => names.nodes.indexOf(name)
  const routes = [...plan.flows.values()].map((flow: Flow) =>
    nodes
      .filter(({ name }) => flow.has(name))
      .map(({ name }) => {
        const next = flow.get(name)!
        const beyond = next.length === 0 || next.some((one) => !inside.has(one))
        return [number(name), next.filter((one) => inside.has(one)).map(number), beyond]
      }),
  )
  return JSON.stringify({
    nodes: nodes.map((node) => ({
      number: number(node.name),
      name: node.name,
      spec: specOf(node.python!.python!.spec, pool),
      stateful: node.stateful,
      input: node.spec.input ?? [],
    })),
    names: names.nodes,
    flows: names.flows,
    routes,
    defaultFlow: names.flows.indexOf(plan.defaultFlow),
    callback,
  })
}

/** The handler of a part of the graph. Its state is in a module of its own, in each interpreter. */
export function openHandler<I, O>(pool: PythonPool, config: string, make: 'Group' | 'Source'): Handler<I, O> {
  const source = `from rxjs_python._stream import ${make}\nhandle = ${make}(${JSON.stringify(config)})\n`
  return pool.handler<I, O>({ source, function: 'handle' })
}

/** Nodes in Python that share interpreters: what one sends another there never leaves them. */
export class PythonStation implements Station {
  readonly nodes: readonly string[]
  private inbox: Sent[] = []
  private inFlight = 0
  private sent = 0
  private scheduled = false
  private tail: Promise<void> = Promise.resolve()
  private readonly batch: number
  private readonly concurrency: number

  constructor(
    readonly planned: readonly PlannedStreamNode[],
    readonly pool: PythonPool,
    private readonly handler: Handler<Sent, Answer>,
    private readonly names: Names,
    private readonly traffic: Traffic,
    /** Messages that came to a node without a trip through JavaScript. */
    private readonly counted: (node: string, messages: number) => void,
  ) {
    this.nodes = planned.map(({ name }) => name)
    this.batch = Math.min(...planned.map(({ batch }) => batch))
    // So many that all interpreters have one, and those that may come would.
    this.concurrency = 2 * pool.info().max
  }

  get waiting(): number {
    return this.inbox.length + this.inFlight
  }

  accept({ node, origin, flow, value }: Message): void {
    const { names } = this
    this.inbox.push([names.nodes.indexOf(node), names.nodes.indexOf(origin), names.flows.indexOf(flow), value])
    if (this.scheduled) return
    this.scheduled = true
    // What comes in one turn goes in one call.
    queueMicrotask(() => {
      this.scheduled = false
      this.dispatch()
    })
  }

  async close(): Promise<void> {
    if (this.planned.some(({ stateful }) => stateful)) await this.handler.call([[STOP, 0, 0, null]])
    await this.handler.close()
  }

  private dispatch(): void {
    while (this.inbox.length > 0 && this.sent < this.concurrency && !this.traffic.signal.aborted) {
      const messages = this.inbox.length <= this.batch ? this.inbox : this.inbox.slice(0, this.batch)
      this.inbox = this.inbox.length <= this.batch ? [] : this.inbox.slice(this.batch)
      this.send(messages)
    }
  }

  private send(messages: readonly Sent[]): void {
    this.sent++
    this.inFlight += messages.length
    const answered = this.handler.call(messages, { signal: this.traffic.signal }).then(
      (answers) => () => this.take(answers),
      (error) => () => this.broken(messages, error),
    )
    const before = this.tail
    // The interpreter is free for the next call, also where the results of an earlier one are still out.
    answered.then(() => {
      this.sent--
      this.dispatch()
    })
    this.tail = answered.then((act) =>
      before.then(() => {
        act()
        this.inFlight -= messages.length
        this.traffic.finished(messages.length)
      }),
    )
  }

  private broken(messages: readonly Sent[], error: unknown): void {
    if (this.traffic.signal.aborted) return
    this.traffic.broken(this.names.nodes[messages[0]![0]]!, error)
  }

  private take(answers: readonly Answer[]): void {
    for (const answer of answers) {
      for (let at = 0; at < answer.length; at += 3) {
        this.one(answer[at] as number, answer[at + 1] as number, answer[at + 2])
      }
    }
  }

  private one(node: number, flow: number, value: unknown): void {
    const { names, traffic } = this
    if (node === FAILED) {
      const report = JSON.parse(value as string) as ErrorReport
      traffic.failed(names.nodes[flow]!, PythonError.fromReport(report))
    } else if (node === COUNTS) {
      for (const [number, count] of value as [number, number][]) this.counted(names.nodes[number]!, count)
    } else {
      traffic.emitBeyond(names.nodes[node]!, names.flows[flow]!, value, this)
    }
  }
}
