import fc from 'fast-check'
import type { TunerSample } from '../../src/pacing/tuner.js'

/** A number as odd as a handler or a clock could produce one. */
const anyNumber = fc.oneof(
  fc.double(),
  fc.integer({ min: 0, max: 100_000 }),
  fc.double({ min: 0, max: 10_000, noNaN: true }),
  fc.constantFrom(0, 1, Number.MAX_VALUE, Number.MIN_VALUE, Number.POSITIVE_INFINITY, Number.NaN, -1, 1e300),
)

/** Samples of which many can't be. */
export const arbitrarySample: fc.Arbitrary<TunerSample> = fc.record(
  { items: anyNumber, durationMs: anyNumber, overheadMs: anyNumber, cancelled: fc.boolean() },
  { requiredKeys: ['items', 'durationMs'] },
)
