import assert from 'node:assert/strict'
import { linesOf } from '../../../lib/connectors/formats/lines'
import type { Reading } from '../../../lib/connectors/formats/reading'
import { seeded, whole } from '../../stress/random'

const CODEC = { decode: (data: Buffer) => data.toString('utf8'), encode: String }

interface Letter {
  readonly bytes: Buffer
  readonly at: number
}

async function read(
  bytes: Buffer,
  {
    cuts = [] as number[],
    format = 'text' as 'text' | 'jsonl',
    codec = undefined as Reading['codec'],
    from = 0,
    open = false,
  } = {},
) {
  const letters: Letter[] = []
  const deadLetters = { add: (_error: unknown, bytes: Buffer, at: number) => letters.push({ bytes, at }) } as never
  async function* chunks() {
    const ends = [...cuts, bytes.length]
    for (let at = 0; at < ends.length; at++) yield bytes.subarray(ends[at - 1] ?? 0, ends[at])
  }
  const items: [unknown, number][] = []
  for await (const block of linesOf(chunks(), from, format, { options: {}, codec, deadLetters }, open)) {
    items.push(...(block as unknown as [unknown, number][]))
  }
  return { items, letters }
}

/** Line by line, as slowly as it is plain. */
function plainly(bytes: Buffer): [string, number][] {
  const found: [string, number][] = []
  let start = 0
  for (let at = 0; at <= bytes.length; at++) {
    if (at < bytes.length ? bytes[at] !== 10 : at === start) continue
    let line = bytes.subarray(start, at)
    if (line.at(-1) === 13) line = line.subarray(0, -1)
    if (start === 0 && line.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))) line = line.subarray(3)
    found.push([line.toString('utf8'), Math.min(at + 1, bytes.length)])
    start = at + 1
  }
  return found
}

describe('Lines of a file', () => {
  const PIECES = [
    ...['a', 'word', '\n', '\r\n', '\n\n', '\r', ' ', 'é', '漢字', '😀', '\ufeff', ''].map((text) => Buffer.from(text)),
    Buffer.from([0xff]),
    Buffer.from([0xe2, 0x82]),
  ]

  it('are those that reading byte by byte finds, with their places, wherever the bytes are cut', async () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = seeded(seed)
      const pieces = Array.from({ length: whole(random, 0, 30) }, () => PIECES[whole(random, 0, PIECES.length - 1)]!)
      // Some without anything that is more than a byte, and some that begin with the mark of an editor.
      const some = seed % 2 === 0 ? pieces.filter((piece) => piece.every((byte) => byte < 128)) : pieces
      const bytes = Buffer.concat(seed % 5 === 0 ? [PIECES[10]!, ...some] : some)
      const cuts = Array.from({ length: whole(random, 0, 4) }, () => whole(random, 0, bytes.length)).sort(
        (a, b) => a - b,
      )
      const expected = plainly(bytes)
      assert.deepEqual((await read(bytes, { cuts })).items, expected, `seed ${seed}`)
      assert.deepEqual((await read(bytes, { cuts, codec: CODEC as never })).items, expected, `seed ${seed}, codec`)
      for (const [, at] of expected.slice(0, 3)) {
        const rest = await read(bytes.subarray(at), { from: at })
        assert.deepEqual(
          rest.items,
          expected.filter(([, end]) => end > at).map(([line, end]) => [line, end]),
          `seed ${seed} from ${at}`,
        )
      }
    }
  })

  it('leave the last one without an end for later, where more may come', async () => {
    assert.deepEqual((await read(Buffer.from('a\nb'), { open: true })).items, [['a', 2]])
  })

  for (const codec of [undefined, { decode: (data: Buffer) => JSON.parse(data.toString()), encode: JSON.stringify }]) {
    it(`pass on the bytes of what is not JSON, with their place${codec ? ', by a codec' : ''}`, async () => {
      const bytes = Buffer.concat([Buffer.from('{"a":"é"}\n\n'), Buffer.from([0xff]), Buffer.from('\r\n[1]\nno')])
      const { items, letters } = await read(bytes, { format: 'jsonl', codec: codec as never })
      assert.deepEqual(items, [
        [{ a: 'é' }, 11],
        [[1], 19],
      ])
      assert.deepEqual(letters, [
        { bytes: Buffer.from([0xff]), at: 12 },
        { bytes: Buffer.from('no'), at: 19 },
      ])
    })
  }
})
