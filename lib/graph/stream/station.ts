/** A message on its way to a node. */
export interface Message {
  readonly node: string
  /** The node that sent it; empty from outside. */
  readonly origin: string
  readonly flow: string
  readonly value: unknown
}

/** What stations ask of the graph that they are in. */
export interface Traffic {
  readonly signal: AbortSignal
  /** A node sends a message on, along a flow. @throws GraphFlowError */
  emit(node: string, flow: string, value: unknown): void
  /** What a station sends for nodes that are not in it: those in it have the message already. */
  emitBeyond(node: string, flow: string, value: unknown, station: Station): void
  /** Resolves when sources may send again. */
  room(): Promise<void>
  /** So many messages have been dealt with. */
  finished(count: number): void
  /** A node failed over a message, or in its start. */
  failed(node: string, error: unknown): void
  /** The graph cannot go on. */
  broken(node: string, error: unknown): void
  /** A node that makes messages by itself has no more. */
  ended(node: string): void
}

/** Where messages wait for nodes, and are handed to them. */
export interface Station {
  readonly nodes: readonly string[]
  readonly waiting: number
  accept(message: Message): void
  /** Everything has gone through: the nodes may end. */
  close(): Promise<void>
}
