import fc from 'fast-check'
import { describe, it } from 'mocha'
import { comparePipeline, pipelineCase } from '../../fixtures/streams/pipelines'

describe('windows against a reference that keeps everything', () => {
  it('give the same results, step by step, over random streams', function () {
    this.timeout(60_000)
    const seed = process.env.RXJS_PYTHON_TEST_SEED
    fc.assert(fc.property(pipelineCase, comparePipeline), {
      numRuns: 1500,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    })
  })
})
