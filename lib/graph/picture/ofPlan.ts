import { FLOW_INPUT, referencesOf } from '../inputs'
import type { Plan } from '../plan'
import type { Picture, PictureEdge } from './picture'

/** How a batch pipeline is drawn. */
export function pictureOfPlan(plan: Plan): Picture {
  const edges: PictureEdge[] = []
  for (const { name, input } of plan.nodes) {
    const drawn = new Map<string, boolean>()
    for (const { of, fanOut } of referencesOf(input).references) {
      if (of !== undefined) drawn.set(of, (drawn.get(of) ?? false) || fanOut)
    }
    for (const [from, fanOut] of drawn) edges.push({ from, to: name, label: fanOut ? '#' : '' })
  }
  const nodes: Picture['nodes'] = plan.nodes.map(({ name, algorithm, isOutput, spec }) => ({
    id: name,
    detail: isOutput ? 'output' : (algorithm?.name ?? spec.kind ?? ''),
    shape: isOutput ? 'output' : 'node',
    python: algorithm?.python !== undefined,
  }))
  const usesInput = edges.some(({ from }) => from === FLOW_INPUT)
  const input: Picture['nodes'] = usesInput ? [{ id: FLOW_INPUT, detail: '', shape: 'input', python: false }] : []
  return { title: plan.name, nodes: [...input, ...nodes], edges, flows: [] }
}
