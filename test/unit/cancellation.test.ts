import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { Cancellation } from '../../src/batch/cancellation.js'

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

it('stays the same from batch to batch, and aborts with the caller’s signal for its reason', () => {
  const cancellation = new Cancellation()
  const stop = new AbortController()
  const batch = cancellation.begin(stop.signal)
  expect(cancellation.begin(stop.signal)).toBe(batch)
  stop.abort(new Error('enough'))
  expect(batch.signal.reason).toEqual(new Error('enough'))
  expect(cancellation.begin(stop.signal).signal.reason).toEqual(new Error('enough'))
})

it('forgets a reason of one batch, and a signal that is not the caller’s any more', () => {
  const cancellation = new Cancellation()
  const [one, other] = [new AbortController(), new AbortController()]
  const batch = cancellation.begin(one.signal)
  batch.abort(new Error('the lease was lost'))
  const next = cancellation.begin(one.signal)
  expect(next.signal.aborted).toBe(false)
  const last = cancellation.begin(other.signal)
  one.abort()
  expect([next.signal.aborted, last.signal.aborted]).toEqual([false, false])
  expect([one, other].map(({ signal }) => listeners(signal))).toEqual([0, 1])
})

it('has one listener for all lanes of a process, so that Node warns of no leak', () => {
  const stop = new AbortController()
  const lanes = Array.from({ length: 16 }, () => new Cancellation().begin(stop.signal))
  expect(listeners(stop.signal)).toBe(1)
  stop.abort()
  expect(lanes.every(({ signal }) => signal.aborted)).toBe(true)
})
