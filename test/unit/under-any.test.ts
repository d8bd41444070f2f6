import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { underAny } from '../../src/under-any.js'

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

it('aborts with the first of its signals, for that one’s reason', async () => {
  const [one, other] = [new AbortController(), new AbortController()]
  await underAny([one.signal, other.signal], async (signal) => {
    expect(signal.aborted).toBe(false)
    other.abort(new Error('enough'))
    expect(signal.reason).toEqual(new Error('enough'))
    one.abort(new Error('too late'))
    expect(signal.reason).toEqual(new Error('enough'))
  })
})

it('has aborted from the beginning when one of its signals has', async () => {
  const [one, other] = [new AbortController(), new AbortController()]
  other.abort(new Error('before'))
  const reason = await underAny([one.signal, other.signal], async (signal) => signal.reason as unknown)
  expect(reason).toEqual(new Error('before'))
  expect([one, other].map(({ signal }) => listeners(signal))).toEqual([0, 0])
})

it('leaves nothing on its signals, whether the work succeeds, rejects or throws', async () => {
  const [one, other] = [new AbortController(), new AbortController()]
  const signals = [one.signal, other.signal]
  expect(await underAny(signals, async () => signals.map(listeners))).toEqual([1, 1])
  await expect(underAny(signals, () => Promise.reject(new Error('rejected')))).rejects.toThrow('rejected')
  await expect(
    underAny(signals, () => {
      throw new Error('thrown')
    }),
  ).rejects.toThrow('thrown')
  expect(signals.map(listeners)).toEqual([0, 0])
})

it('has one listener for all who work under a signal, so that Node warns of no leak, and each ends by itself', async () => {
  const long = new AbortController()
  const ended: number[] = []
  const ends = Array.from({ length: 20 }, () => new AbortController())
  const works = ends.map((end, index) =>
    underAny([long.signal, end.signal], async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      ended.push(index)
    }),
  )
  expect(listeners(long.signal)).toBe(1)
  ends[7]?.abort()
  await works[7]
  expect(ended).toEqual([7])
  expect(listeners(long.signal)).toBe(1)
  long.abort()
  await Promise.all(works)
  expect(ended).toHaveLength(20)
})

it('hands on a single signal as it is', async () => {
  const { signal } = new AbortController()
  expect(await underAny([signal], async (under) => under)).toBe(signal)
})
