import { filter, map, type Observable, Subject, type Subscription } from 'rxjs'
import { type ErrorReport, GraphFlowError, NodeError, PythonError } from '../../errors'
import { PythonPool } from '../../pool/pool'
import { enterScope, Gate, GateSet, leaveScope, subscribeWithin } from '../../sources/gate'
import { unknownName } from '../check'
import { sharedController } from '../controller'
import { JavaScriptStation } from './javascript'
import type { GraphPlan, NodeSize, PlannedStreamNode } from './plan'
import { configOf, Names, openHandler, PythonStation } from './python'
import type { Message, Station, Traffic } from './station'
import type { GraphOutput, RunningGraph, StreamNodeMetrics } from './types'

const CALLBACK = 'rxjs-python stream'
/** Milliseconds without work after which an interpreter of a node that scales goes. */
const IDLE_AFTER = 2000

let graphs = 0

/** A streaming graph that runs: it brings messages from node to node, and holds the sources while it has many. */
export class Engine implements RunningGraph, Traffic {
  readonly name: string
  readonly done: Promise<void>
  private readonly subject = new Subject<GraphOutput>()
  private readonly failures = new Subject<NodeError>()
  private readonly controller = sharedController()
  private readonly stations = new Map<string, Station>()
  private readonly pools: PythonPool[] = []
  private readonly counts = new Map<string, { received: number; failed: number }>()
  private readonly subscriptions: Subscription[] = []
  private readonly gates: GateSet
  private readonly gate: Gate
  private readonly waiters: (() => void)[] = []
  /** Nodes that may still send messages by themselves, or be sent some from outside. */
  private readonly open = new Set<string>()
  private readonly callback = `${CALLBACK} ${++graphs}`
  private readonly exposed: Disposable[] = []
  private inFlight = 0
  private over = false
  private settle = { resolve: () => {}, reject: (_error: unknown) => {} }

  constructor(private readonly plan: GraphPlan) {
    this.name = plan.name
    this.gates = new GateSet(() => this.adjust())
    this.gate = new Gate(this.gates)
    this.gates.ownedBy(this.gate)
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.done.catch(() => {})
    for (const { name } of plan.nodes) this.counts.set(name, { received: 0, failed: 0 })
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  get output(): Observable<GraphOutput> {
    return this.subject.asObservable()
  }

  get errors(): Observable<NodeError> {
    return this.failures.asObservable()
  }

  outputOf(nodeName: string): Observable<unknown> {
    return this.subject.pipe(
      filter((one) => one.nodeName === nodeName),
      map(({ message }) => message),
    )
  }

  /** Opens pools, loads the nodes, and lets the sources in. @throws what opening pools and loading nodes does */
  async begin(): Promise<void> {
    const { nodes } = this.plan
    try {
      await this.openPython(nodes.filter((node) => node.python !== undefined))
    } catch (error) {
      // A node's start may have failed meanwhile, which is then why.
      if (this.over) await this.done
      await this.release()
      throw error
    }
    for (const node of nodes) {
      if (node.python === undefined)
        this.stations.set(node.name, new JavaScriptStation(node, this, this.plan.defaultFlow))
      if (node.isEntry) this.open.add(node.name)
    }
    // In a turn of its own, so that whoever awaits the start has subscribed to the output.
    setImmediate(() => this.startNodes())
  }

  send(nodeName: string, value: unknown, flowName = this.plan.defaultFlow): Promise<void> {
    const names = this.plan.nodes.map(({ name }) => name)
    if (!names.includes(nodeName)) {
      return Promise.reject(new GraphFlowError(`graph '${this.name}': ${unknownName('node', nodeName, names)}`))
    }
    if (this.over) return Promise.reject(new GraphFlowError(`graph '${this.name}' has ended`))
    try {
      this.flow(nodeName, flowName)
    } catch (error) {
      return Promise.reject(error)
    }
    this.deliver({ node: nodeName, origin: '', flow: flowName, value })
    return this.room()
  }

  end(): Promise<void> {
    for (const node of this.plan.nodes) if (isFedFromOutside(node)) this.open.delete(node.name)
    this.endIfDone()
    return this.done
  }

  async stop(): Promise<void> {
    if (!this.over) {
      this.over = true
      this.controller.abort()
      await this.release()
      this.subject.complete()
      this.failures.complete()
      this.settle.resolve()
    }
    await this.done.catch(() => {})
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  metrics(): Readonly<Record<string, StreamNodeMetrics>> {
    const all: Record<string, StreamNodeMetrics> = {}
    for (const { name } of this.plan.nodes) {
      const station = this.stations.get(name)
      const { received, failed } = this.counts.get(name)!
      all[name] = { received, failed, waiting: station?.waiting ?? 0 }
      if (station instanceof PythonStation) all[name].interpreters = station.pool.size
    }
    return all
  }

  emit(node: string, flow: string, value: unknown): void {
    this.pass(node, flow, value, undefined)
  }

  emitBeyond(node: string, flow: string, value: unknown, station: Station): void {
    this.pass(node, flow, value, station)
  }

  room(): Promise<void> {
    if (this.over || !this.gate.closed) return Promise.resolve()
    return new Promise((resolve) => this.waiters.push(resolve))
  }

  finished(count: number): void {
    this.inFlight -= count
    this.adjust()
    this.endIfDone()
  }

  failed(node: string, cause: unknown): void {
    this.counts.get(node)!.failed++
    if (this.over) return
    const error = new NodeError(this.name, node, undefined, cause)
    if (this.plan.onError === 'error') void this.fail(error)
    else this.failures.next(error)
  }

  broken(node: string, cause: unknown): void {
    void this.fail(new NodeError(this.name, node, undefined, cause))
  }

  ended(node: string): void {
    this.open.delete(node)
    this.endIfDone()
  }

  /** To nodes that are not in the station that sends, and out of the graph where there are none. */
  private pass(node: string, flowName: string, value: unknown, station: Station | undefined): void {
    const next = this.flow(node, flowName)
    if (next.length === 0) {
      this.out({ nodeName: node, flowName, message: value })
      return
    }
    for (const target of next) {
      if (station?.nodes.includes(target)) continue
      this.deliver({ node: target, origin: node, flow: flowName, value })
    }
  }

  private flow(node: string, flowName: string): readonly string[] {
    const { flows } = this.plan
    const flow = flows.get(flowName)
    if (flow === undefined) {
      throw new GraphFlowError(`graph '${this.name}': ${unknownName('flow', String(flowName), [...flows.keys()])}`)
    }
    const next = flow.get(node)
    if (next === undefined) {
      throw new GraphFlowError(
        `graph '${this.name}': node '${node}' sends along flow '${flowName}', which it is not in`,
      )
    }
    return next
  }

  private deliver(message: Message): void {
    if (this.over) return
    this.inFlight++
    this.counts.get(message.node)!.received++
    this.adjust()
    this.stations.get(message.node)!.accept(message)
  }

  private out(output: GraphOutput): void {
    const outer = enterScope({ gate: undefined, emitter: this.gates })
    try {
      this.subject.next(output)
    } finally {
      leaveScope(outer)
    }
    this.adjust()
  }

  /** Opens or closes the gate before the sources, by how much there is and by the stages behind the graph. */
  private adjust(): void {
    const { capacity } = this.plan
    if (this.inFlight >= capacity || this.gates.closed > 0) {
      this.gate.close()
    } else if (this.gate.closed && this.inFlight <= capacity >> 1) {
      this.gate.open()
      for (const go of this.waiters.splice(0)) go()
    }
  }

  private startNodes(): void {
    for (const { name, source } of this.plan.nodes) {
      const station = this.stations.get(name)
      if (source === undefined) {
        if (station instanceof JavaScriptStation && this.nodeOf(name).stateful) void station.start()
        continue
      }
      subscribeWithin(this.gate, () => {
        this.subscriptions.push(
          source.subscribe({
            next: (value) => this.emitFromSource(name, value),
            error: (error) => this.broken(name, error),
            complete: () => this.ended(name),
          }),
        )
      })
    }
  }

  private emitFromSource(node: string, value: unknown): void {
    try {
      this.counts.get(node)!.received++
      this.emit(node, this.plan.defaultFlow, value)
    } catch (error) {
      this.broken(node, error)
    }
  }

  private nodeOf(name: string): PlannedStreamNode {
    return this.plan.nodes.find((node) => node.name === name)!
  }

  private async openPython(nodes: readonly PlannedStreamNode[]): Promise<void> {
    const names = new Names(this.plan)
    const sources = nodes.filter((node) => node.isEntry)
    const own = nodes.filter((node) => !node.isEntry && node.size !== undefined)
    const sharing = nodes.filter((node) => !node.isEntry && node.size === undefined)
    if (sharing.length > 0) {
      const pool = this.plan.pool ?? (await this.openPool(this.name, { min: 1, max: 1 }))
      await this.openStation(names, sharing, pool)
    }
    for (const node of own) await this.openStation(names, [node], await this.openPool(node.name, node.size!))
    for (const node of sources) await this.openSource(names, node)
  }

  private async openPool(name: string, { min, max, idleAfter }: NodeSize): Promise<PythonPool> {
    const { poolOptions } = this.plan
    const pool = await PythonPool.open({
      ...poolOptions,
      name: `graph ${name}`,
      size: { min, max },
      idleAfter: idleAfter ?? poolOptions.idleAfter ?? IDLE_AFTER,
    })
    this.pools.push(pool)
    return pool
  }

  private async openStation(names: Names, nodes: readonly PlannedStreamNode[], pool: PythonPool): Promise<void> {
    this.answer(names, pool)
    const config = configOf(this.plan, names, nodes, pool, this.callback)
    const handler = openHandler<never, never>(pool, config, 'Group')
    const counted = (node: string, count: number) => {
      this.counts.get(node)!.received += count
    }
    const station = new PythonStation(nodes, pool, handler as never, names, this, counted)
    for (const { name } of nodes) this.stations.set(name, station)
    // Whether it loads is known before the first message.
    await handler.call([])
  }

  /** A node that nothing comes to: its `start` runs in a call that lasts as long. */
  private async openSource(names: Names, node: PlannedStreamNode): Promise<void> {
    const pool = await this.openPool(node.name, { min: 1, max: 1 })
    this.answer(names, pool)
    const config = configOf(this.plan, names, [node], pool, this.callback)
    const handler = openHandler<number, null>(pool, config, 'Source')
    await handler.call([])
    this.stations.set(node.name, { nodes: [], waiting: 0, accept: () => {}, close: () => handler.close() })
    setImmediate(() => {
      handler.call([0], { signal: this.signal }).then(
        () => this.ended(node.name),
        (error) => {
          if (!this.signal.aborted) this.broken(node.name, error)
        },
      )
    })
  }

  /** What Python sends by itself comes by a callback, which waits for room. */
  private answer(names: Names, pool: PythonPool): void {
    const calls: Record<string, (node: number, flow: number, value: unknown) => unknown> = {
      send: (node, flow, value) => {
        this.emit(names.nodes[node]!, names.flows[flow]!, value)
        return this.room()
      },
      failed: (node, _flow, value) =>
        this.broken(names.nodes[node]!, PythonError.fromReport(JSON.parse(value as string) as ErrorReport)),
    }
    const exposed = pool.expose(this.callback, (call: string, node: number, flow: number, value: unknown) =>
      calls[call]!(node, flow, value),
    )
    this.exposed.push(exposed)
  }

  private endIfDone(): void {
    if (this.over || this.inFlight > 0 || this.open.size > 0) return
    this.over = true
    void this.finish()
  }

  private async finish(): Promise<void> {
    let problem: { error: unknown } | undefined
    try {
      for (const station of new Set(this.stations.values())) await station.close()
    } catch (error) {
      problem = { error }
    }
    await this.release()
    this.failures.complete()
    if (problem === undefined) {
      this.subject.complete()
      this.settle.resolve()
    } else {
      this.subject.error(problem.error)
      this.settle.reject(problem.error)
    }
  }

  private async fail(error: unknown): Promise<void> {
    if (this.over) return
    this.over = true
    this.controller.abort(error)
    await this.release()
    this.failures.complete()
    this.subject.error(error)
    this.settle.reject(error)
  }

  private async release(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.unsubscribe()
    for (const go of this.waiters.splice(0)) go()
    for (const exposed of this.exposed) exposed[Symbol.dispose]()
    this.gate.dispose()
    this.gates.dispose()
    await Promise.all(this.pools.map((pool) => (this.signal.aborted ? pool.destroy() : pool.close())))
  }
}

function isFedFromOutside({ isEntry, source, python, stateful }: PlannedStreamNode): boolean {
  return isEntry && source === undefined && python === undefined && !stateful
}
