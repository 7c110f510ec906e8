import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import type { RawRecord } from '../../../lib/connectors/kafka/adapter'
import { checkCodecs, deadLetterOf, messageOf, outgoingOf } from '../../../lib/connectors/kafka/records'
import { StreamChecker } from '../../../lib/streams/check'

const raw: RawRecord = {
  ...{ topic: 'in', partition: 3, offset: 12, timestamp: 99 },
  key: Buffer.from('k'),
  value: Buffer.from('{"a":1}'),
  headers: { trace: Buffer.from('t') },
}
const codecs = checkCodecs<unknown, string>(new StreamChecker('test', undefined, []), {})

describe('records of Kafka', () => {
  it('are messages with text keys and JSON values by default', () => {
    assert.deepEqual(messageOf(raw, codecs), { ...raw, key: 'k', value: { a: 1 } })
    const gone = messageOf({ ...raw, key: null, value: null }, codecs)
    assert.deepEqual([gone.key, gone.value], [null, null])
  })

  it('go to the topic of the sink, or to the one that they name', () => {
    const { topic, key, value, partition } = outgoingOf({ value: { a: 1 }, key: 'k', partition: 2 }, 'out', codecs)
    assert.deepEqual([topic, String(key), String(value), partition], ['out', 'k', '{"a":1}', 2])
    assert.equal(outgoingOf({ value: null, to: 'else' }, 'out', codecs).topic, 'else')
    assert.equal(outgoingOf({ value: null }, 'out', codecs).value, null)
  })

  it('are refused where they have no value', () => {
    assert.throws(() => outgoingOf({} as never, 'out', codecs), /\{ value \}/)
    assert.throws(() => outgoingOf('text' as never, 'out', codecs), /\{ value \}/)
  })

  it('become dead letters as they were, with the error and the place in headers', () => {
    const error = Object.assign(new TypeError('not this'), { code: 'ERR_X' })
    const letter = deadLetterOf('dead', raw, error)
    assert.equal(letter.value, raw.value)
    assert.equal(letter.key, raw.key)
    const headers = Object.fromEntries(Object.entries(letter.headers!).map(([name, value]) => [name, String(value)]))
    assert.deepEqual(headers, {
      ...{ trace: 't', 'error.name': 'TypeError', 'error.message': 'not this', 'error.code': 'ERR_X' },
      ...{ 'source.topic': 'in', 'source.partition': '3', 'source.offset': '12' },
    })
  })
})
