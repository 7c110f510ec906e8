import assert from 'node:assert/strict'
import { Patience } from '../stress/patience'

describe('Patience of a run that kills', () => {
  /** Looks, a second apart; the number of the first one after which it was over. */
  const overAfter = (looks: readonly (readonly [different: number, place: string])[]) => {
    const patience = new Patience(2_500)
    const at = looks.findIndex(([different, place], second) => patience.isOver(different, place, second * 1000))
    return at < 0 ? undefined : at
  }

  it('lasts while a long log is worked off, though more and more rows differ', () => {
    const different = [19_104, 19_323, 20_754, 22_815, 23_258, 23_251, 22_655, 15_501]
    assert.equal(overAfter(different.map((count, at) => [count, `0/${at}`])), undefined)
  })

  it('lasts while fewer rows differ, wherever the log is', () => {
    assert.equal(overAfter([9, 8, 7, 6, 5, 4].map((count) => [count, '0/1'])), undefined)
  })

  it('ends when nothing has moved for so long', () => {
    assert.equal(overAfter([...Array(9)].map(() => [7, '0/1'])), 3)
    const moved = ['0/1', '0/1', '0/2', '0/2', '0/2', '0/2', '0/2']
    assert.equal(overAfter(moved.map((place) => [7, place])), 5)
  })
})
