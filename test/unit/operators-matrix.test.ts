import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { Subject } from 'rxjs'
import { StageMetrics } from '../../lib/metrics'
import { mapPython } from '../../lib/operators/mapPython'
import { FakeHandler, Recorder, settle } from './fakeHandler'

/** A stage with one batch in flight, in some state; every event is tried in every state. */
interface World {
  subject: Subject<number>
  handler: FakeHandler
  recorder: Recorder<number>
  controller: AbortController
  metrics: StageMetrics
  unsubscribe(): void
}

function world(): World {
  const subject = new Subject<number>()
  const handler = new FakeHandler()
  const recorder = new Recorder<number>()
  const controller = new AbortController()
  const metrics = new StageMetrics()
  const subscription = subject
    .pipe(mapPython(handler.typed<number, number>(), { batch: 1, concurrency: 1, signal: controller.signal, metrics }))
    .subscribe(recorder.observer)
  return { subject, handler, recorder, controller, metrics, unsubscribe: () => subscription.unsubscribe() }
}

const states: Record<string, (w: World) => unknown> = {
  idle: () => {},
  'one in flight': ({ subject }) => subject.next(1),
  'one in flight, one waiting': ({ subject }) => {
    subject.next(1)
    subject.next(2)
  },
  'source complete, one in flight': ({ subject }) => {
    subject.next(1)
    subject.complete()
  },
  'source failed, one in flight, one waiting': ({ subject }) => {
    subject.next(1)
    subject.next(2)
    subject.error(new Error('source'))
  },
  completed: ({ subject }) => subject.complete(),
  failed: async ({ subject, handler }) => {
    subject.next(1)
    handler.calls[0]!.reject(new Error('batch'))
    await settle(1)
  },
  unsubscribed: ({ subject, unsubscribe }) => {
    subject.next(1)
    unsubscribe()
  },
  aborted: ({ subject, controller }) => {
    subject.next(1)
    controller.abort()
  },
}

const events: Record<string, (w: World) => unknown> = {
  item: ({ subject }) => subject.next(9),
  'source completes': ({ subject }) => subject.complete(),
  'source fails': ({ subject }) => subject.error(new Error('source')),
  'batch comes back': ({ handler }) => handler.calls[0]?.resolve([-1]),
  'batch fails': ({ handler }) => handler.calls[0]?.reject(new Error('batch')),
  unsubscribe: ({ unsubscribe }) => unsubscribe(),
  abort: ({ controller }) => controller.abort(),
}

/** What has gone downstream by the end, once everything still in flight is answered: values, then `|`, `x…` or nothing. */
const expected: Record<string, Record<string, string>> = {
  idle: {
    item: '-9',
    'source completes': '|',
    'source fails': 'xsource',
    'batch comes back': '',
    'batch fails': '',
    unsubscribe: '',
    abort: 'xabort',
  },
  'one in flight': {
    item: '-1 -9',
    'source completes': '-1 |',
    'source fails': '-1 xsource',
    'batch comes back': '-1',
    'batch fails': 'xbatch',
    unsubscribe: '',
    abort: 'xabort',
  },
  'one in flight, one waiting': {
    item: '-1 -2 -9',
    'source completes': '-1 -2 |',
    'source fails': '-1 -2 xsource',
    'batch comes back': '-1 -2',
    'batch fails': 'xbatch',
    unsubscribe: '',
    abort: 'xabort',
  },
  'source complete, one in flight': {
    item: '-1 |',
    'source completes': '-1 |',
    'source fails': '-1 |',
    'batch comes back': '-1 |',
    'batch fails': 'xbatch',
    unsubscribe: '',
    abort: 'xabort',
  },
  'source failed, one in flight, one waiting': {
    item: '-1 -2 xsource',
    'source completes': '-1 -2 xsource',
    'source fails': '-1 -2 xsource',
    'batch comes back': '-1 -2 xsource',
    'batch fails': 'xbatch',
    unsubscribe: '',
    abort: 'xabort',
  },
}
const ended: Record<string, string> = { completed: '|', failed: 'xbatch', unsubscribed: '', aborted: 'xabort' }

describe('every event in every state of a stage', () => {
  for (const [state, enter] of Object.entries(states)) {
    for (const [event, happen] of Object.entries(events)) {
      const outcome = ended[state] ?? expected[state]![event]!
      it(`${state} + ${event} → ${outcome || 'nothing'}`, async () => {
        const w = world()
        await enter(w)
        await happen(w)
        for (let i = 0; i < 4; i++) {
          for (const call of w.handler.calls) call.resolve(call.items.map((n) => -(n as number)))
          await settle(1)
        }
        const name = String((w.recorder.error as Error | undefined)?.message ?? '')
        const end = {
          open: '',
          completed: '|',
          failed: `x${['source', 'batch', 'abort'].find((word) => name.includes(word))}`,
        }[w.recorder.state]
        assert.equal([...w.recorder.values, end].join(' ').trim(), outcome)
        assert.deepEqual([w.metrics.waiting, w.metrics.inFlight], [0, 0])
        if (w.recorder.state !== 'open') assert.equal(w.subject.observed, false)
      })
    }
  }
})
