import assert from 'node:assert/strict'
import { readSpec } from '../../lib/graph'
import { tune } from '../../lib/tuning'
import { tunerProblems } from '../../lib/tuning/check'
import { numberOf } from '../../lib/tuning/tune'

describe('what a tuner is given', () => {
  const uniform = { name: 'x', suggest: 'uniform', low: 0, high: 1 }

  it('is a spec with hyper-parameters, with a grid, or with both', () => {
    const grid = { name: 'Grid', search_space: { x: [1, 'a', null, true] } }
    for (const spec of [{ hyperParams: [uniform] }, { sampler: grid }, { hyperParams: [uniform], sampler: grid }]) {
      assert.deepEqual(tunerProblems('t', { numberOfTrials: 3, ...spec }), [])
    }
  })

  const wrong: [string, object, RegExp][] = [
    ['nothing to tune', {}, /needs 'hyperParams', or 'sampler'/],
    ['an empty list', { hyperParams: [] }, /must be a list of hyper-parameters/],
    ['no name', { hyperParams: [{ ...uniform, name: undefined }] }, /hyperParams\[0\].name' is missing/],
    ['a name twice', { hyperParams: [uniform, uniform] }, /has 'x' more than once/],
    ['an unknown way', { hyperParams: [{ ...uniform, suggest: 'normal' }] }, /must be one of 'uniform', 'loguniform'/],
    ['no way', { hyperParams: [{ ...uniform, suggest: undefined }] }, /suggest' is missing: one of/],
    ['bounds the wrong way', { hyperParams: [{ ...uniform, low: 2 }] }, /low' \(2\) is above 'high' \(1\)/],
    ['a logarithm of 0', { hyperParams: [{ ...uniform, suggest: 'loguniform' }] }, /low' must be above 0/],
    ['a whole bound', { hyperParams: [{ ...uniform, suggest: 'int', high: 1.5 }] }, /high' must be a whole number/],
    [
      'a step of 0',
      { hyperParams: [{ ...uniform, suggest: 'discrete_uniform', q: 0 }] },
      /q' must be a number above 0/,
    ],
    ['no choices', { hyperParams: [{ name: 'x', suggest: 'categorical' }] }, /choices' must be a list/],
    ['another sampler', { sampler: { name: 'Random', search_space: { x: [1] } } }, /name' must be one of 'Grid'/],
    ['an empty grid', { sampler: { name: 'Grid', search_space: {} } }, /must be an object of lists/],
    ['a grid of objects', { sampler: { name: 'Grid', search_space: { x: [{}] } } }, /search_space.x' must be a list/],
    ['a gap', { hyperParams: [uniform], sampler: { name: 'Grid', search_space: { y: [1] } } }, /no values for 'x'/],
    ['misspelt', { hyperParams: [uniform], directoin: 'maximize' }, /did you mean 'spec.direction'/],
  ]
  for (const [title, spec, message] of wrong) {
    it(`wrong: ${title}`, () => assert.match(tunerProblems('t', { numberOfTrials: 3, ...spec }).join('\n'), message))
  }

  it('is checked before anything begins', () => {
    const options = { numberOfTrials: 0, objective: 1, name: 'a/b' } as unknown as Parameters<typeof tune>[0]
    assert.throws(
      () => tune(options),
      ({ problems }: { problems: string[] }) => problems.length === 4,
    )
  })
})

describe('the value of an objective', () => {
  it('is a number, also where it is the only thing inside', () => {
    for (const value of [7, [7], { green: 7 }, { green: [{ loss: 7 }] }]) assert.equal(numberOf(value), 7)
  })

  it('is nothing else', () => {
    for (const value of ['7', Number.NaN, null, undefined, [], [1, 2], { a: 1, b: 2 }]) {
      assert.throws(() => numberOf(value), /must come to one number/)
    }
  })
})

describe('readSpec', () => {
  it('reads JSON, and leaves out what documents have too much', () => {
    const heard: string[] = []
    assert.deepEqual(
      readSpec('{"a": [1, 2,], "b": "x,]}\\"",\n]}', (text) => heard.push(text)),
      { a: [1, 2], b: 'x,]}"' },
    )
    assert.deepEqual(heard, [
      "line 1: the comma before ']' is left out",
      "line 2: ']' closes nothing, and is left out",
      "line 2: the comma before '}' is left out",
    ])
    assert.deepEqual(readSpec('[{}]'), [{}])
  })

  it('says what it cannot read', () => {
    assert.throws(() => readSpec('{"a": }'), { code: 'ERR_OPTION' })
    assert.throws(() => readSpec('{"a": [1}'), { code: 'ERR_OPTION' })
  })
})
