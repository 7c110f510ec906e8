import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { type Decision, type Sample, Scaling, type ScalingLimits } from '../../lib/pool/scaling'

const TICK = 100
const LIMITS: ScalingLimits = { min: 1, max: 8, idleAfter: 2000 }

/** What comes in, and what the machine makes of it. */
interface World {
  /** Batches that the stream has in the pool at a time, for each interpreter; as the operators do it. */
  inFlight?: number
  /** Or batches that come in a second, whatever the pool does. */
  perSecond?: number
  /** Milliseconds of work in a batch. */
  work: number
  items?: number
  /** How many interpreters can work at a time without making each other slower. */
  cores?: number
  /** Milliseconds until a new interpreter takes calls. */
  start?: number
}

/** A pool on paper, with a clock of its own. */
class Paper {
  size: number
  time = 0
  waiting = 0
  readonly log: [time: number, size: number, reason: Decision['reason']][] = []
  private target: number
  private arrives = 0
  private left = 0
  readonly scaling: Scaling

  constructor(
    readonly limits: ScalingLimits,
    public world: World,
    size = limits.min,
  ) {
    this.size = this.target = size
    this.scaling = new Scaling(limits)
    this.scaling.decide({ time: 0, size, busy: 0, batches: 0, items: 0, waiting: 0 })
  }

  run(milliseconds: number): this {
    for (const end = this.time + milliseconds; this.time < end; ) {
      this.time += TICK
      if (this.size !== this.target && this.time >= this.arrives) this.size = this.target
      const decision = this.scaling.decide(this.sample())
      if (decision === undefined || this.size !== this.target) continue
      this.log.push([this.time, decision.size, decision.reason])
      this.target = decision.size
      this.arrives = this.time + (decision.size > this.size ? (this.world.start ?? TICK) : 0)
    }
    return this
  }

  private sample(): Sample {
    const { inFlight, perSecond, work, items = 10, cores = 64 } = this.world
    const { size } = this
    const most = (Math.min(size, cores) / work) * TICK
    const come = perSecond === undefined ? Infinity : (perSecond * TICK) / 1000 + this.waiting + this.left
    const done = Math.min(most, come)
    const batches = Math.floor(done + 1e-9)
    if (perSecond !== undefined) {
      this.waiting = Math.max(0, Math.floor(come - done))
      this.left = come - done - this.waiting
    } else {
      this.waiting = Math.max(0, (inFlight ?? 0) * size - size)
    }
    const busy = inFlight === 0 ? 0 : (done / most) * size * TICK
    return {
      time: this.time,
      size,
      busy,
      batches: inFlight === 0 ? 0 : batches,
      items: batches * items,
      waiting: this.waiting,
    }
  }
}

/** When six interpreters are one again, while so many items a second come at any time, with so many milliseconds of work. */
function irregular(perSecond: number, work: number, seed: number): number {
  let state = seed
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
  const scaling = new Scaling({ min: 1, max: 6, idleAfter: 2000 })
  const sample = { size: 6, busy: 0, batches: 0, items: 0 }
  let waiting = 0
  let next = 0
  let running: number[] = []
  scaling.decide({ ...sample, time: 0, waiting })
  for (let time = 1; time < 60_000; time++) {
    for (; next <= time; next += (-Math.log(1 - random()) * 1000) / perSecond) waiting++
    running = running.filter((until) => until > time)
    for (; running.length < sample.size && waiting > 0; waiting--) running.push(time + work)
    sample.busy += running.length
    if (time % TICK > 0) continue
    sample.size = scaling.decide({ ...sample, time, waiting })?.size ?? sample.size
    sample.busy = 0
    if (sample.size === 1) return time
  }
  return Infinity
}

const sizes = (paper: Paper) => paper.log.map(([, size]) => size)

describe('autoscaling grows', () => {
  it('within half a second where all are busy and batches wait, and on as long as it helps', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5 }).run(10_000)
    assert.deepEqual(sizes(paper), [2, 4, 8])
    assert.ok(paper.log[0]![0] <= 500, `after ${paper.log[0]![0]} ms`)
    assert.ok(paper.log[2]![0] <= 3000, `after ${paper.log[2]![0]} ms`)
    assert.ok(paper.log.every(([, , reason]) => reason === 'backlog'))
  })

  it('by as many as the batches in the pool could keep busy, at most to twice the size', () => {
    assert.deepEqual(sizes(new Paper(LIMITS, { inFlight: 9, work: 5 }, 3).run(600)), [6])
    assert.deepEqual(sizes(new Paper(LIMITS, { inFlight: 1.25, work: 5 }, 4).run(800)), [5])
    assert.deepEqual(sizes(new Paper({ ...LIMITS, max: 5 }, { inFlight: 9, work: 5 }, 3).run(600)), [5])
  })

  it('not above max, nor where min is max', () => {
    assert.deepEqual(sizes(new Paper({ ...LIMITS, max: 3 }, { inFlight: 2, work: 5 }).run(60_000)), [2, 3])
    assert.deepEqual(sizes(new Paper({ ...LIMITS, max: 1 }, { inFlight: 9, work: 5 }).run(60_000)), [])
  })

  it('for slow batches as for quick ones', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 4000 }).run(700)
    assert.deepEqual(sizes(paper), [2])
  })

  it('not for a backlog that passes', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5 })
    for (let i = 0; i < 50; i++) {
      paper.world = { inFlight: 2, work: 5 }
      paper.run(200)
      paper.world = { inFlight: 0, work: 5 }
      paper.run(300)
    }
    assert.deepEqual(paper.log, [])
  })

  it('not where all are busy and nothing waits, nor where batches wait and not all are busy', () => {
    assert.deepEqual(new Paper(LIMITS, { inFlight: 1, work: 5 }).run(60_000).log, [])
    const scaling = new Scaling(LIMITS)
    for (let time = 0; time < 60_000; time += TICK) {
      // As with calls so quick that handing them over is what takes time.
      const sample = { time, size: 1, busy: 0.6 * TICK, batches: 500, items: 500, waiting: 2 }
      assert.equal(scaling.decide(sample), undefined)
    }
  })

  it('while new ones take long to start, no further', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5, start: 5000 }).run(5000)
    assert.deepEqual(sizes(paper), [2])
    assert.deepEqual(sizes(paper.run(6000)), [2, 4])
  })
})

describe('autoscaling takes back', () => {
  it('what did not help, and tries again later and later', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5, cores: 2 }).run(1_800_000)
    assert.deepEqual(
      paper.log.slice(0, 3).map(([, size, reason]) => [size, reason]),
      [
        [2, 'backlog'],
        [4, 'backlog'],
        [2, 'no gain'],
      ],
    )
    const backs = paper.log.filter(([, , reason]) => reason === 'no gain').map(([time]) => time)
    const pauses = backs.slice(1).map((time, i) => time - backs[i]!)
    assert.ok(pauses[0]! >= 30_000 && pauses[0]! < 33_000, String(pauses))
    for (let i = 1; i < pauses.length; i++) assert.ok(pauses[i]! > 1.9 * pauses[i - 1]!, String(pauses))
    assert.ok(backs.length <= 7, `${backs.length} attempts in half an hour`)
    assert.equal(paper.size, 2)
  })

  it('nothing where too few batches came to tell', () => {
    assert.deepEqual(sizes(new Paper(LIMITS, { inFlight: 2, work: 2000, cores: 1 }).run(10_000)), [2, 4, 8])
  })

  it('nothing where the source is what limits the rate', () => {
    const paper = new Paper(LIMITS, { perSecond: 150, work: 10 }).run(60_000)
    assert.deepEqual(sizes(paper), [2])
  })

  it('nothing for a while after a new one could not start', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5, start: 1e9 }).run(1000)
    assert.deepEqual(sizes(paper), [2])
    paper.scaling.refused()
    const again = new Scaling(LIMITS)
    assert.equal(again.decide({ time: 0, size: 1, busy: 0, batches: 0, items: 0, waiting: 0 }), undefined)
    const full = (time: number) => ({ time, size: 1, busy: TICK, batches: 20, items: 20, waiting: 1 })
    let decided = 0
    for (let time = TICK; time <= 29_000; time += TICK) {
      if (again.decide(full(time)) === undefined) continue
      decided++
      again.refused()
    }
    assert.equal(decided, 1)
    for (let time = 29_100; time <= 60_000; time += TICK) if (again.decide(full(time))) decided++
    assert.equal(decided, 2)
  })
})

describe('autoscaling shrinks', () => {
  it('to min when there was nothing to do for idleAfter', () => {
    const paper = new Paper(LIMITS, { inFlight: 0, work: 5 }, 6).run(1900)
    assert.deepEqual(paper.log, [])
    assert.deepEqual(paper.run(200).log, [[2000, 1, 'idle']])
    assert.deepEqual(sizes(new Paper({ ...LIMITS, min: 3 }, { inFlight: 0, work: 5 }, 6).run(5000)), [3])
  })

  it('to what was needed at most', () => {
    assert.deepEqual(sizes(new Paper(LIMITS, { perSecond: 250, work: 10 }, 8).run(60_000)), [3])
    const paper = new Paper(LIMITS, { perSecond: 100, work: 10 }, 8).run(1000)
    paper.world = { perSecond: 500, work: 10 }
    paper.run(600)
    paper.world = { perSecond: 100, work: 10 }
    assert.deepEqual(sizes(paper.run(900)), [5])
  })

  it('soon, also where items come irregularly: what waits at one look is chance', () => {
    const times: number[] = []
    for (let seed = 1; seed <= 40; seed++) times.push(irregular(80, 8, seed))
    times.sort((a, b) => a - b)
    assert.ok(times[20]! <= 3000, `half of them took ${times[20]} ms`)
    assert.ok(times[35]! <= 8000, `one of ten took ${times[35]} ms`)
  })

  it('not while something comes often enough', () => {
    const paper = new Paper(LIMITS, { inFlight: 0, work: 5 }, 2)
    for (let i = 0; i < 100; i++) {
      paper.world = { inFlight: 2, work: 5 }
      paper.run(200)
      paper.world = { inFlight: 0, work: 5 }
      paper.run(1500)
    }
    assert.deepEqual(paper.log, [])
  })

  it('soon after a growth, and may grow again then', () => {
    const paper = new Paper({ ...LIMITS, idleAfter: 200 }, { inFlight: 2, work: 5 }).run(500)
    paper.world = { inFlight: 0, work: 5 }
    paper.run(1000)
    paper.world = { inFlight: 2, work: 5 }
    paper.run(700)
    assert.deepEqual(sizes(paper), [2, 1, 2])
  })

  it('without swinging, whatever load is steady', () => {
    for (let perSecond = 10; perSecond <= 900; perSecond += 10) {
      const paper = new Paper(LIMITS, { perSecond, work: 10 }, 4).run(120_000)
      assert.ok(paper.log.length <= 5, `${perSecond} in a second: ${JSON.stringify(paper.log)}`)
      const late = paper.log.filter(([time]) => time > 60_000)
      assert.deepEqual(late, [], `${perSecond} in a second: ${JSON.stringify(paper.log)}`)
    }
  })

  it('and forgets what was before a rest', () => {
    const paper = new Paper(LIMITS, { inFlight: 2, work: 5 }).run(200)
    paper.scaling.rest()
    assert.deepEqual(paper.run(300).log, [])
    assert.deepEqual(sizes(paper.run(300)), [2])
  })
})
