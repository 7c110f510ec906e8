import { cycles } from '../plan'

/** A flow: where each node's messages go on to. */
export type Flow = ReadonlyMap<string, readonly string[]>

export interface ParsedFlow {
  readonly flow: Flow
  readonly problems: readonly string[]
}

/**
 * Reads `'twitt >> sort >> B'`: messages go from each node to the one behind the arrow. Several nodes may stand at one
 * place, `'A >> B & C >> D'`, and several chains in one flow, `'A >> B, A >> C >> D'`.
 */
export function parseFlow(text: unknown, names: readonly string[], unknown: (name: string) => string): ParsedFlow {
  const flow = new Map<string, string[]>()
  const problems: string[] = []
  if (typeof text !== 'string' || text.trim() === '') {
    return { flow, problems: ["it names nothing: write 'first >> second'"] }
  }
  for (const chain of text.split(',')) {
    const places = chain.split('>>').map((place) => place.split('&').map((name) => name.trim()))
    if (places.some((place) => place.includes(''))) {
      problems.push(`'${chain.trim()}': a name is missing beside '>>', '&' or ','`)
      continue
    }
    if (places.length < 2) problems.push(`'${chain.trim()}' goes nowhere: write 'first >> second'`)
    for (const [at, place] of places.entries()) {
      for (const name of place) {
        if (!names.includes(name)) problems.push(unknown(name))
        const next = flow.get(name) ?? []
        for (const one of places[at + 1] ?? []) if (!next.includes(one)) next.push(one)
        flow.set(name, next)
      }
    }
  }
  for (const cycle of cycles(flow)) {
    problems.push(`a cycle: ${[cycle[0]!, ...[...cycle].reverse()].map((one) => `'${one}'`).join(' -> ')}`)
  }
  return { flow, problems: [...new Set(problems)] }
}
