import fc from 'fast-check'
import { expect, it } from 'vitest'
import { walkFraction } from '../../src/updates/walk/fraction.js'

it('tells the position of a dense key, also beyond 2^53', () => {
  const progress = {
    first: ['9007199254740993'],
    end: ['9007199254741092'],
    lower: ['9007199254741017'],
    measuredBy: 'key',
  } as const
  expect(walkFraction(progress)).toBeCloseTo(0.25)
})

it('tells rows of the estimate otherwise, and nothing without one', () => {
  expect(walkFraction({ first: ['a'], lower: ['b'], walked: 30, estimatedRows: 120, measuredBy: 'rows' })).toBe(0.25)
  expect(walkFraction({ first: ['a'], lower: ['b'], walked: 30, estimatedRows: null, measuredBy: 'rows' })).toBeNull()
  expect(walkFraction({})).toBe(0)
})

it('is never 100 % before the end, and never goes back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 })),
      fc.integer({ min: 1, max: 200 }),
      fc.constantFrom('key', 'rows'),
      (steps, rows, measuredBy) => {
        let before = 0
        let walked = 0
        for (const step of steps) {
          walked += step
          const fraction =
            walkFraction({ first: [1], lower: [walked], end: [rows], walked, estimatedRows: rows, measuredBy }) ?? -1
          expect(fraction).toBeGreaterThanOrEqual(before)
          expect(fraction).toBeLessThan(1)
          before = fraction
        }
      },
    ),
  )
})
