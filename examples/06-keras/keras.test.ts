import assert from 'node:assert/strict'
import { needKafka } from '../../test/services/servers/kafka'
import { demo } from './demo'
import { demo as kafkaDemo } from './kafka'

describe('example 6: Keras in a stream', () => {
  it('trains, loads the model once in each interpreter, and scores as plain Keras does', async () => {
    const { model, scores, right, difference } = await demo(['5000'], () => {})
    assert.equal(model.backend, 'jax')
    assert.ok(model.accuracy > 0.95, `${model.accuracy}`)
    assert.ok(model.loss.at(-1)! < model.loss[0]! / 3, `${model.loss}`)
    assert.deepEqual(
      scores.map(({ machine }) => machine),
      Array.from({ length: 5000 }, (_, machine) => machine),
    )
    assert.ok(right > 0.95 * 5000, `${right}`)
    assert.ok(difference < 1e-5, `${difference}`)
    assert.equal(new Set(scores.map(({ worker }) => worker)).size, 2)
    assert.ok(scores.every(({ loads, worker }) => loads === 1 && worker !== process.pid))
  })

  it('scores a topic, each reading once and as plain Keras does', async function () {
    needKafka(this)
    const { scores, right, difference, refused } = await kafkaDemo(['5000', '--interpreters', '1'], () => {})
    assert.deepEqual(
      scores.map(({ machine }) => machine).sort((a, b) => a - b),
      Array.from({ length: 5000 }, (_, machine) => machine),
    )
    assert.ok(right > 0.95 * 5000, `${right}`)
    assert.ok(difference < 1e-5, `${difference}`)
    assert.ok(scores.every(({ loads, worker }) => loads === 1 && worker !== process.pid))
    assert.deepEqual(refused, ['the sensor is broken'])
  })
})
