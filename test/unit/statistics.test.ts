import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json.js'
import { etaSeconds } from '../../src/pacing/eta.js'
import {
  afterBatch,
  itemsPerSecond,
  NO_STATISTICS,
  restoreStatistics,
  type BatchMeasure,
  type Statistics,
} from '../../src/pacing/statistics.js'

const batch: BatchMeasure = { items: 100, durationMs: 100, elapsedMs: 1_000, fraction: null, idle: false }

function play(batches: readonly Partial<BatchMeasure>[]): Statistics {
  return batches.reduce<Statistics>((statistics, each) => afterBatch(statistics, { ...batch, ...each }), NO_STATISTICS)
}

describe('statistics of an update', () => {
  it('rate is over wall-clock time, pauses included', () => {
    expect(itemsPerSecond(NO_STATISTICS)).toBeNull()
    expect(itemsPerSecond(play([batch, batch, batch]))).toBeCloseTo(100)
    expect(itemsPerSecond(play([{ elapsedMs: 0 }]))).toBeNull()
  })

  it('an ETA is a range round the truth, and none before 20 batches or 2 %', () => {
    const walk = (batches: number, of: number) =>
      play(Array.from({ length: batches }, (_, index) => ({ fraction: (index + 1) / of })))
    expect(etaSeconds(walk(5, 10_000), 5)).toBeNull()
    expect(etaSeconds(play([batch]), 50)).toBeNull()
    const [low, high] = etaSeconds(walk(50, 100), 50) ?? [NaN, NaN]
    expect(low).toBeLessThan(50)
    expect(high).toBeGreaterThan(50)
    expect(etaSeconds(walk(100, 100), 100)?.[1]).toBeLessThan(1)
  })

  it('go on after a restart where they were', () => {
    const before = play([batch, { items: 5, fraction: 0.1 }, { items: 7, fraction: 0.3, idle: true }])
    expect(restoreStatistics(JSON.parse(JSON.stringify(before)) as JsonValue)).toEqual(before)
  })

  it('whatever a row holds, what is restored works', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.jsonValue(),
          fc.dictionary(
            fc.constantFrom(...Object.keys(NO_STATISTICS)),
            fc.oneof(
              fc.jsonValue(),
              fc.array(fc.array(fc.double(), { minLength: 2, maxLength: 2 }), { maxLength: 20 }),
            ),
          ),
        ),
        (saved) => {
          const restored = afterBatch(restoreStatistics(saved as JsonValue), { ...batch, fraction: 0.5 })
          const { profile, ...numbers } = restored
          for (const each of [...Object.values(numbers), ...profile.flat()]) expect(each).toSatisfy(Number.isFinite)
          const eta = etaSeconds(restored, 100)
          if (eta !== null) expect(eta.every((end) => Number.isFinite(end) && end >= 0)).toBe(true)
        },
      ),
    )
  })
})
