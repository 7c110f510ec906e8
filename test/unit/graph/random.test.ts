import assert from 'node:assert/strict'
import fc from 'fast-check'
import * as graphs from '../../../lib/graph'
import { comparePipeline, compareStream, pipelineCase, streamCase } from '../../fixtures/graph/random'

describe('random graphs against a naive reference', () => {
  it('batch pipelines: results, or that they fail', () =>
    fc.assert(
      fc.asyncProperty(pipelineCase, async (one) => assert.equal(await comparePipeline(graphs, one), undefined)),
      { numRuns: 300 },
    ))

  it('streaming graphs: what comes out, and how much fails', () =>
    fc.assert(
      fc.asyncProperty(streamCase, async (one) => assert.equal(await compareStream(graphs, one), undefined)),
      { numRuns: 200 },
    ))
})
