import fc from 'fast-check'
import { expect, it } from 'vitest'
import { StatementSize } from '../../../src/pacing/statement-size.js'

it('finds the size whose work takes as long as it should, whatever an item costs and however long a round trip is', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 20, noNaN: true }),
      fc.double({ min: 0, max: 50, noNaN: true }),
      fc.double({ min: 0.05, max: 5, noNaN: true }),
      (msPerItem, roundTripMs, statementMs) => {
        const sizes = new StatementSize()
        let size = sizes.next(statementMs)
        for (let batch = 0; batch < 40; batch += 1) {
          if (sizes.needsRoundTrip) sizes.roundTrip(roundTripMs)
          sizes.record({ items: size, durationMs: roundTripMs + size * msPerItem })
          size = sizes.next(statementMs)
        }
        const ideal = statementMs / msPerItem
        expect(size).toBeGreaterThanOrEqual(Math.max(1, Math.floor(ideal * 0.6)))
        expect(size).toBeLessThanOrEqual(Math.max(1, Math.ceil(ideal * 1.6)))
      },
    ),
  )
})

it('takes a step of at most a factor of two for one batch, and never goes below one item', () => {
  const sizes = new StatementSize()
  expect(sizes.next(1)).toBe(100)
  sizes.roundTrip(0)
  sizes.record({ items: 100, durationMs: 0 })
  expect(sizes.next(1)).toBe(200)
  sizes.record({ items: 200, durationMs: 1e9 })
  expect(sizes.next(1)).toBe(100)
  for (let batch = 0; batch < 20; batch += 1) sizes.record({ items: 1, durationMs: 1e9 })
  expect(sizes.next(1)).toBe(1)
})

it('a round trip that was long once does not make statements long', () => {
  const sizes = new StatementSize()
  for (let batch = 0; batch < 1_000; batch += 1) {
    sizes.next(1)
    if (sizes.needsRoundTrip) sizes.roundTrip(batch === 101 ? 1_000 : 0.5)
    sizes.record({ items: 100, durationMs: 1.5 })
  }
  expect(sizes.next(1)).toBe(100)
})

it('times a round trip in three of a hundred batches, also when a handler tells nothing of its statements', () => {
  const sizes = new StatementSize()
  const timed: number[] = []
  for (let batch = 0; batch < 300; batch += 1) {
    sizes.next(1)
    if (sizes.needsRoundTrip) timed.push(batch)
  }
  expect(timed).toEqual([0, 1, 2, 100, 101, 102, 200, 201, 202])
})
