import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigurationError } from '../../src/errors.js'
import type { JsonValue } from '../../src/json.js'
import { guardedTuner, type GuardedTunerOptions } from '../../src/pacing/tuner-guarded.js'
import type { Tuner, TunerContext } from '../../src/pacing/tuner.js'
import { arbitrarySample } from './tuner-arbitraries.js'

const CONTEXT: TunerContext = { targetMs: 100, defaultBatchSize: 100, minBatchSize: 1, maxBatchSize: 100_000 }

function tunerWith(context: Partial<TunerContext> = {}, options?: GuardedTunerOptions): Tuner {
  return guardedTuner(options)({ ...CONTEXT, ...context })
}

/** Runs batches of rows that cost `msPerItem` each, and returns their sizes. */
function run(tuner: Tuner, batches: number, msPerItem: number, overheadMs = 0): number[] {
  return Array.from({ length: batches }, () => {
    const items = tuner.next()
    tuner.record({ items, durationMs: items * msPerItem + overheadMs, overheadMs })
    return items
  })
}

/** A tuner that has settled at rows of 0.01 ms: 10 000 fill the target. */
function settled(context: Partial<TunerContext> = {}, options?: GuardedTunerOptions): Tuner {
  const tuner = tunerWith(context, options)
  run(tuner, 60, 0.01)
  expect(tuner.next()).toBeGreaterThan(9000)
  return tuner
}

const copied = (value: JsonValue): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue

const lastRule = (tuner: Tuner): string | undefined => tuner.explain().at(-1)?.rule

describe('guardedTuner: rules', () => {
  it('1: starts slowly, by at most four times a batch, until a batch takes half the target', () => {
    expect(run(tunerWith(), 5, 0.01).slice(0, 4)).toEqual([100, 400, 1600, 6400])
  })

  it('2: grows by at most two times a batch afterwards', () => {
    const tuner = settled()
    const before = tuner.next()
    tuner.record({ items: before, durationMs: 30 })
    expect(tuner.next()).toBeLessThanOrEqual(before * 2)
  })

  it('3: follows a change within three batches', () => {
    const tuner = settled()
    const sizes = run(tuner, 4, 0.02)
    expect(sizes.at(-1)).toBeGreaterThan(4000)
    expect(sizes.at(-1)).toBeLessThan(5500)
    expect(tuner.explain().map(({ rule }) => rule)).toContain('change')
  })

  it('4: probes after a stray batch, and restores the size when the probe is as expected', () => {
    const tuner = settled()
    const before = tuner.next()
    tuner.record({ items: before, durationMs: 2000 })
    expect(lastRule(tuner)).toBe('guard')
    expect(tuner.next()).toBe(Math.trunc(before / 10))
    run(tuner, 1, 0.01)
    expect(lastRule(tuner)).toBe('restore')
    expect(tuner.next()).toBeGreaterThanOrEqual(before * 0.99)
  })

  it('4: believes a probe that confirms the stray', () => {
    const tuner = settled()
    expect(run(tuner, 4, 0.1).slice(2)).toEqual([expect.closeTo(950, -2), expect.closeTo(950, -2)])
  })

  it('4: does not probe where the least batch is known to take that long', () => {
    const tuner = tunerWith({ minBatchSize: 1000 })
    run(tuner, 20, 1)
    expect(new Set(tuner.explain().map(({ rule }) => rule)).has('guard')).toBe(false)
  })

  it('5: does not count fixed cost as cost of items', () => {
    const tuner = settled()
    const sizes = run(tuner, 50, 0.01, 30)
    expect(Math.min(...sizes)).toBeGreaterThan(6000)
    expect(sizes.at(-1)).toBeLessThan(7000)
  })

  it('5: gives the items as much time as a fixed cost over the target takes', () => {
    const tuner = settled()
    const sizes = run(tuner, 50, 0.01, 120)
    expect(Math.min(...sizes)).toBeGreaterThan(9000)
    expect(sizes.at(-1)).toBeCloseTo(12_000, -3)
  })

  it('5: finds out about a fixed cost that nobody measured', () => {
    const tuner = settled()
    const sizes = Array.from({ length: 100 }, () => {
      const items = tuner.next()
      tuner.record({ items, durationMs: items * 0.01 + 120 })
      return items
    })
    expect(Math.min(...sizes)).toBeGreaterThan(2000)
    expect(sizes.at(-1)).toBeGreaterThan(8000)
    expect(run(tuner, 50, 0.01).at(-1)).toBeCloseTo(9600, -3)
  })

  it('5: grows where a fixed cost over the target that nobody measured was there from the start', () => {
    const tuner = tunerWith()
    const sizes = Array.from({ length: 60 }, () => {
      const items = tuner.next()
      tuner.record({ items, durationMs: items * 0.01 + 150 })
      return items
    })
    expect(Math.min(...sizes)).toBeGreaterThan(20)
    expect(sizes.at(-1)).toBeGreaterThan(10_000)
  })

  it('6: retries a cancelled batch at a tenth, and restores the size when that was an accident', () => {
    const tuner = settled()
    const before = tuner.next()
    tuner.record({ items: before, durationMs: 400, cancelled: true })
    expect(tuner.next()).toBe(Math.trunc(before / 10))
    run(tuner, 1, 0.01)
    expect(tuner.next()).toBeGreaterThanOrEqual(before * 0.99)
  })

  it('6: takes a cancelled batch for at least that slow when it happens again', () => {
    const tuner = settled()
    const before = tuner.next()
    tuner.record({ items: before, durationMs: 400, cancelled: true })
    tuner.record({ items: tuner.next(), durationMs: 400, cancelled: true })
    expect(tuner.next()).toBe(Math.trunc(before / 100))
    expect(run(tuner, 1, 0.01)).toEqual([Math.trunc(before / 100)])
    expect(tuner.next()).toBeLessThanOrEqual(Math.trunc(before / 100) * 2)
  })

  it('6: retries at a tenth whether or not the cancelled batch knows its items, also as the first batch', () => {
    const tuner = tunerWith()
    tuner.record({ items: 0, durationMs: 400, cancelled: true })
    expect(tuner.next()).toBe(10)
  })

  it('7: resumes at a quarter of the size, and knows the cost', () => {
    const before = settled()
    const tuner = tunerWith({ saved: copied(before.snapshot()) })
    expect(tuner.next()).toBe(Math.trunc(before.next() / 4))
    expect(lastRule(tuner)).toBe('resume')
    run(tuner, 1, 0.01)
    expect(tuner.next()).toBeGreaterThan(8000)
  })

  it('7: does not shrink further by restarts without a batch', () => {
    const before = settled()
    const first = tunerWith({ saved: copied(before.snapshot()) })
    const second = tunerWith({ saved: copied(first.snapshot()) })
    expect(second.next()).toBe(first.next())
  })
})

describe('guardedTuner: targets', () => {
  it('follows a target that changes from batch to batch', () => {
    const tuner = settled()
    const size = tuner.next()
    expect(tuner.next(500) / size).toBeCloseTo(5, 1)
    tuner.record({ items: tuner.next(500), durationMs: tuner.next(500) * 0.01 })
    expect(tuner.next(50) / size).toBeCloseTo(0.5, 1)
    expect(tuner.next() / size).toBeCloseTo(1, 1)
  })

  it('answers the same when asked again', () => {
    const tuner = settled()
    expect([tuner.next(), tuner.next(), tuner.next(100)]).toEqual([tuner.next(), tuner.next(), tuner.next()])
  })

  it('does not forget a probe when the target rises', () => {
    const tuner = settled()
    tuner.record({ items: tuner.next(), durationMs: 2000 })
    const probe = tuner.next()
    expect(tuner.next(1000)).toBe(probe)
  })

  it('keeps to the slow start when the target rises', () => {
    const tuner = tunerWith()
    run(tuner, 1, 0.01)
    expect(tuner.next(10_000)).toBe(400)
  })
})

describe('guardedTuner: odd input', () => {
  it('learns nothing from empty batches', () => {
    const tuner = settled()
    const before = { size: tuner.next(), snapshot: tuner.snapshot(), decisions: tuner.explain() }
    for (const durationMs of [0, 1, 5000]) tuner.record({ items: 0, durationMs })
    expect({ size: tuner.next(), snapshot: tuner.snapshot(), decisions: tuner.explain() }).toEqual(before)
  })

  it('neither collapses nor explodes when a clock of whole ms says 0', () => {
    const tuner = tunerWith({ maxBatchSize: 1_000_000 })
    const sizes = Array.from({ length: 30 }, () => {
      const items = tuner.next()
      tuner.record({ items, durationMs: Math.floor(items * 0.002) })
      return items
    })
    expect(sizes.slice(0, 4)).toEqual([100, 400, 1600, 6400])
    expect(sizes.at(-1)).toBeCloseTo(49_000, -4)
  })

  it('keeps its size when a single batch is said to take 0 ms', () => {
    const tuner = settled()
    const before = tuner.next()
    tuner.record({ items: before, durationMs: 0 })
    expect(tuner.next() / before).toBeCloseTo(1, 1)
  })

  it('answers with an integer within the bounds, whatever it is told', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitrarySample, fc.option(fc.double()))), (steps) => {
        const tuner = tunerWith({ minBatchSize: 3, maxBatchSize: 5000 })
        for (const [sample, target] of steps) {
          tuner.record(sample)
          const size = tuner.next(target ?? undefined)
          expect(Number.isInteger(size) && size >= 3 && size <= 5000).toBe(true)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('finds the size again after whatever it was told', () => {
    fc.assert(
      fc.property(fc.array(arbitrarySample, { maxLength: 60 }), (samples) => {
        const tuner = tunerWith()
        for (const sample of samples) tuner.record(sample)
        run(tuner, 150, 0.05)
        expect(tuner.next()).toBeGreaterThan(1500)
        expect(tuner.next()).toBeLessThan(2500)
      }),
    )
  })

  it('makes a snapshot that survives JSON and is read back, whatever it was told', () => {
    fc.assert(
      fc.property(fc.array(arbitrarySample), (samples) => {
        const tuner = tunerWith()
        for (const sample of samples) tuner.record(sample)
        const saved = tuner.snapshot()
        expect(copied(saved)).toEqual(saved)
        const resumed = tunerWith({ saved: copied(saved) })
        expect(Number.isInteger(resumed.next())).toBe(true)
        expect(resumed.next()).toBeGreaterThanOrEqual(1)
      }),
    )
  })

  it('ignores saved state that it does not recognise', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (saved) => {
        expect(tunerWith({ saved: saved as JsonValue }).next()).toBe(100)
      }),
    )
  })

  it.each<Record<string, JsonValue>>([
    { size: 0 },
    { size: '400' },
    { size: null },
    { logCost: 1000 },
    { noiseWidth: 'x' },
    { fixedMs: -1 },
    { overheadMs: [null] },
    { overheadMs: {} },
    { version: 2 },
    { tuner: 'ema' },
  ])('ignores saved state edited by hand: %j', (edit) => {
    const saved = { ...(settled().snapshot() as Record<string, JsonValue>), ...edit }
    expect(tunerWith({ saved }).next()).toBe(100)
  })

  it('starts within the bounds and the target from a saved size that is far too large', () => {
    const saved = { ...(settled().snapshot() as Record<string, JsonValue>), size: 1e15 }
    expect(tunerWith({ saved }).next()).toBeLessThan(10_000)
  })

  it('keeps the same answers for the same samples', () => {
    expect(run(settled(), 50, 0.03)).toEqual(run(settled(), 50, 0.03))
  })
})

describe('guardedTuner: explain', () => {
  it('tells rule, sample, target and sizes of every decision, which join', () => {
    const tuner = tunerWith()
    run(tuner, 8, 0.01)
    const decisions = tuner.explain()
    expect(decisions[0]).toMatchObject({ rule: 'first', sample: null, from: 100, to: 100, targetMs: 100 })
    expect(decisions[1]).toMatchObject({
      rule: 'slow start',
      from: 100,
      to: 400,
      sample: { items: 100, durationMs: 1 },
    })
    for (const [i, { from, why }] of decisions.entries()) {
      expect(from).toBe(decisions[i - 1]?.to ?? 100)
      expect(why).toMatch(/\w/)
    }
  })

  it('remembers only so many', () => {
    expect(settled({}, { decisionsKept: 5 }).explain()).toHaveLength(5)
  })
})

describe('guardedTuner: options', () => {
  it.each([
    [{ guards: 2 }, /unknown option "guards"; did you mean "guard"/],
    [{ guard: 1 }, /guard must be a number from 1.5 to 20, not 1/],
    [{ aim: Number.NaN }, /aim must be/],
    [{ decisionsKept: 1.5 }, /decisionsKept must be a whole number/],
    [{ gain: '0.1' }, /gain must be/],
    [null, /must be an object/],
  ])('refuses %j', (options, message) => {
    expect(() => guardedTuner(options as GuardedTunerOptions)).toThrow(ConfigurationError)
    expect(() => guardedTuner(options as GuardedTunerOptions)).toThrow(message)
  })

  it('names every problem at once', () => {
    expect(() => guardedTuner({ guard: 0, gain: 9 })).toThrow(/guard.*gain/)
  })

  it('takes undefined for the default', () => {
    expect(() => guardedTuner({ guard: undefined })).not.toThrow()
  })
})
