import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { demo } from './demo'
import { KNOWN, type Tweet, tweets } from './tweets'

const TWEETS = 500

describe('example 9: graphs', () => {
  it('tunes and trains a model, once, and enriches a stream of tweets with it, or looks their writers up', async () => {
    const { trained, again, outputs, pictures } = await demo(['--tweets', `${TWEETS}`], () => {})
    assert.ok(trained.params.words >= 2, "'not great' is two words")
    assert.ok(trained.accuracy > 0.75, `${trained.accuracy}`)
    assert.deepEqual(
      Object.values(again).map(({ nodeName, cached }) => [nodeName, cached]),
      [
        ['optimizerNode', true],
        ['split', true],
        ['train', false],
        ['trained', false],
      ],
    )

    const sent = tweets(TWEETS, 2)
    const isKnown = ({ writer }: Tweet) => (KNOWN as readonly string[]).includes(writer)
    const enriched = outputs.filter(({ nodeName }) => nodeName === 'B').map(({ message }) => message as Enriched)
    assert.deepEqual(
      enriched.map(({ id }) => id),
      sent.filter(isKnown).map(({ id }) => id),
    )
    const right = enriched.filter(({ glad, mood }) => glad === (mood === 'glad')).length / enriched.length
    assert.ok(right > 0.75, `${right}`)
    const profiles = outputs.filter(({ nodeName }) => nodeName === 'A').map(({ message }) => message as Profile)
    const unknown = new Set(sent.filter((tweet) => !isKnown(tweet)).map(({ writer }) => writer))
    assert.deepEqual(new Set(profiles.map(({ writer }) => writer)), unknown)
    assert.equal(profiles.length, unknown.size)

    for (const [name, svg] of Object.entries(pictures)) {
      assert.equal(svg, readFileSync(join(__dirname, `${name}.svg`), 'utf8'), `${name}.svg: --pictures draws it anew`)
    }
  })
})

interface Enriched extends Tweet {
  mood: 'glad' | 'sad'
}

interface Profile {
  writer: string
}
