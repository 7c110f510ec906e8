import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { config, from, NEVER, Observable, Subject, take, tap } from 'rxjs'
import { PythonAbortError } from '../../lib/errors'
import { StageMetrics } from '../../lib/metrics'
import { mapPython } from '../../lib/operators/mapPython'
import { fromIterable } from '../../lib/sources/fromIterable'
import { FakeHandler, Recorder, settle } from './fakeHandler'

describe('leaving early', () => {
  it('unsubscribing drops what waits, aborts what runs, and swallows how that ends', async () => {
    const handler = new FakeHandler()
    const subject = new Subject<number>()
    const recorder = new Recorder<unknown>()
    const subscription = subject
      .pipe(mapPython(handler.typed<number, unknown>(), { batch: 1, concurrency: 2 }))
      .subscribe(recorder.observer)
    for (const n of [1, 2, 3]) subject.next(n)
    subscription.unsubscribe()
    assert.equal(subject.observed, false)
    assert.ok(handler.calls.every((call) => call.options.signal?.aborted))
    await settle()
    assert.equal(handler.calls.length, 2)
    assert.equal(handler.running, 0)
    assert.equal(recorder.state, 'open')
  })

  it('does not abort the signal when nothing runs any more', async () => {
    const handler = new FakeHandler({ answer: (items) => items })
    const recorder = new Recorder<unknown>()
    from([1]).pipe(mapPython(handler.typed<number, unknown>())).subscribe(recorder.observer)
    await recorder.ended
    assert.equal(handler.calls[0]!.options.signal?.aborted, false)
  })

  it('take(n) in the middle of a batch gets n items and stops the source', async () => {
    const handler = new FakeHandler({ answer: (items) => items })
    const recorder = new Recorder<unknown>()
    let emitted = 0
    const metrics = new StageMetrics()
    fromIterable(Array.from({ length: 1000 }, (_, i) => i))
      .pipe(
        mapPython(handler.typed<number, unknown>(), { batch: 10, metrics }),
        tap(() => emitted++),
        take(13),
      )
      .subscribe(recorder.observer)
    await recorder.ended
    await settle()
    assert.equal(recorder.values.length, 13)
    assert.equal(emitted, 13)
    assert.equal(metrics.itemsOut, 13)
    assert.equal(handler.running, 0)
  })

  it('a result that comes after the end is ignored', async () => {
    const handler = new FakeHandler()
    handler.call = (items) =>
      new Promise((resolve) => {
        // A handler that minds no signal.
        handler.calls.push({ items, options: {}, resolve: resolve as never, reject: () => {} })
      })
    const recorder = new Recorder<unknown>()
    const subscription = from([1, 2]).pipe(mapPython(handler.typed<number, unknown>())).subscribe(recorder.observer)
    await settle(1)
    subscription.unsubscribe()
    handler.calls[0]!.resolve([1, 2])
    await settle()
    assert.deepEqual(recorder.values, [])
    assert.equal(recorder.state, 'open')
  })

  it('a subscriber that throws does not disturb the stream', async () => {
    const reported: unknown[] = []
    config.onUnhandledError = (error) => reported.push(error)
    try {
      const handler = new FakeHandler({ answer: (items) => items })
      const seen: unknown[] = []
      await new Promise<void>((resolve) => {
        from([1, 2, 3])
          .pipe(mapPython(handler.typed<number, unknown>()))
          .subscribe({
            next: (n) => {
              seen.push(n)
              if (n === 2) throw new Error('subscriber broke')
            },
            complete: resolve,
          })
      })
      await new Promise((resolve) => setTimeout(resolve, 5))
      assert.deepEqual(seen, [1, 2, 3])
      assert.equal(reported.length, 1)
    } finally {
      config.onUnhandledError = null
    }
  })

  it('unsubscribing from within the source, while it is subscribed, stops it', async () => {
    const handler = new FakeHandler()
    const controller = new AbortController()
    let torn = 0
    const source = new Observable<number>((subscriber) => {
      subscriber.next(1)
      controller.abort('during subscribe')
      subscriber.next(2)
      return () => torn++
    })
    const recorder = new Recorder<unknown>()
    source.pipe(mapPython(handler.typed<number, unknown>(), { signal: controller.signal })).subscribe(recorder.observer)
    await settle()
    assert.equal(torn, 1)
    assert.equal(handler.calls.length, 0)
    assert.equal(recorder.state, 'failed')
  })
})

describe('signal', () => {
  it('errors the stream with the reason as cause, and aborts what runs', async () => {
    const handler = new FakeHandler()
    const controller = new AbortController()
    const recorder = new Recorder<unknown>()
    const subject = new Subject<number>()
    subject
      .pipe(mapPython(handler.typed<number, unknown>(), { signal: controller.signal }))
      .subscribe(recorder.observer)
    subject.next(1)
    await settle(1)
    const reason = new Error('user left')
    controller.abort(reason)
    assert.ok(recorder.error instanceof PythonAbortError)
    assert.equal(recorder.error.name, 'AbortError')
    assert.equal(recorder.error.cause, reason)
    assert.ok(handler.calls[0]!.options.signal?.aborted)
    assert.equal(subject.observed, false)
  })

  it('that has aborted already: the source is not even subscribed', () => {
    let subscribed = 0
    const recorder = new Recorder<unknown>()
    new Observable<number>(() => {
      subscribed++
    })
      .pipe(mapPython(new FakeHandler().typed<number, unknown>(), { signal: AbortSignal.abort() }))
      .subscribe(recorder.observer)
    assert.ok(recorder.error instanceof PythonAbortError)
    assert.equal(subscribed, 0)
  })

  it('is not listened to after the end', async () => {
    const { signal } = new AbortController()
    let listeners = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--
      remove(...args)
    }
    const subscription = NEVER.pipe(mapPython(new FakeHandler().typed<number, unknown>(), { signal })).subscribe()
    assert.equal(listeners, 1)
    subscription.unsubscribe()
    assert.equal(listeners, 0)
  })
})
