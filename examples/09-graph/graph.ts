// In a program of your own: from 'rxjs-python' and 'rxjs-python/graph'
import { type Graph, graph } from '../../lib/graph'
import type { PythonPool } from '../../lib/index'
import { KNOWN, type Tweet } from './tweets'

/** What is done with tweets as they come: most are enriched; those of unknown writers go another way. */
export function tweetGraph(source: Iterable<Tweet>, model: unknown, pool: PythonPool): Graph {
  return graph({
    name: 'tweets',
    pool,
    poolOptions: { path: [__dirname] },
    nodes: [
      { nodeName: 'twitt', source },
      { nodeName: 'sort', algorithm: { python: 'sort:start' }, stateType: 'stateful', input: [KNOWN] },
      { nodeName: 'A', algorithmName: 'look-up' },
      { nodeName: 'B', algorithmName: 'enrich', input: [model], interpreters: { min: 1, max: 2 } },
    ],
    flows: { analyze: 'sort>>A', master: 'twitt >>sort>>B' },
    defaultFlow: 'master',
    algorithms: {
      // Once for each of them is enough.
      'look-up': ({ streamInput }) => {
        const { writer, nth } = streamInput.message as { writer: string; nth: number }
        return nth === 1 ? { writer, profile: `https://people.example/${writer}` } : undefined
      },
      enrich: { python: 'moods:enrich' },
    },
  })
}
