import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json.js'
import { emaTuner } from '../../src/pacing/tuner-ema.js'
import type { Tuner, TunerContext } from '../../src/pacing/tuner.js'
import { arbitrarySample } from './tuner-arbitraries.js'

const CONTEXT: TunerContext = { targetMs: 100, defaultBatchSize: 100, minBatchSize: 1, maxBatchSize: 100_000 }

function tunerWith(context: Partial<TunerContext> = {}): Tuner {
  return emaTuner()({ ...CONTEXT, ...context })
}

describe('emaTuner', () => {
  it('starts with the default size', () => {
    expect(tunerWith({ defaultBatchSize: 20 }).next()).toBe(20)
  })

  it.each([
    { targetMs: 100, durationMs: 1000, minBatchSize: 1, next: 10 },
    { targetMs: 500, durationMs: 1000, minBatchSize: 1, next: 50 },
    { targetMs: 100, durationMs: 5000, minBatchSize: 5, next: 5 },
  ])('100 items in $durationMs ms at target $targetMs and minimum $minBatchSize: next $next', (reference) => {
    const tuner = tunerWith(reference)
    tuner.record({ items: 100, durationMs: reference.durationMs })
    expect(tuner.next()).toBe(reference.next)
  })

  it('averages 10 / 190 items per ms after 100 items and then 10 items in 1000 ms each', () => {
    const tuner = tunerWith()
    tuner.record({ items: 100, durationMs: 1000 })
    tuner.record({ items: 10, durationMs: 1000 })
    const { items, ms } = tuner.snapshot() as { items: number; ms: number }
    expect(items / ms).toBe(0.05263157894736842)
    expect(tuner.next()).toBe(5)
  })

  it('takes the target of the coming batch', () => {
    const tuner = tunerWith()
    tuner.record({ items: 100, durationMs: 1000 })
    expect([tuner.next(500), tuner.next(100), tuner.next()]).toEqual([50, 10, 10])
  })

  it('counts the whole duration, overhead included', () => {
    const tuner = tunerWith()
    tuner.record({ items: 100, durationMs: 1000, overheadMs: 900 })
    expect(tuner.next()).toBe(10)
  })

  it('keeps the default size while batches take no measurable time or have no items', () => {
    const tuner = tunerWith()
    tuner.record({ items: 100, durationMs: 0 })
    tuner.record({ items: 0, durationMs: 50 })
    tuner.record({ items: 0, durationMs: 0 })
    expect(tuner.next()).toBe(100)
  })

  it('goes on from a snapshot that went through JSON', () => {
    const tuner = tunerWith()
    tuner.record({ items: 100, durationMs: 1000 })
    const saved = JSON.parse(JSON.stringify(tuner.snapshot())) as JsonValue
    const resumed = tunerWith({ saved })
    expect(resumed.next()).toBe(10)
    for (const each of [tuner, resumed]) each.record({ items: 10, durationMs: 3 })
    expect(resumed.next()).toBe(tuner.next())
    expect(resumed.snapshot()).toEqual(tuner.snapshot())
  })

  it('ignores saved state that it does not recognise', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (saved) => {
        expect(tunerWith({ saved: saved as JsonValue }).next()).toBe(100)
      }),
    )
    const odd = [
      { tuner: 'ema', version: 1, items: -1, ms: 1 },
      { tuner: 'ema', version: 1, items: '5', ms: 1 },
      { tuner: 'ema', version: 2, items: 5, ms: 1 },
    ]
    for (const saved of odd) expect(tunerWith({ saved }).next()).toBe(100)
  })

  it('answers with an integer within the bounds, whatever it is told', () => {
    fc.assert(
      fc.property(fc.array(arbitrarySample), (samples) => {
        const tuner = tunerWith({ minBatchSize: 3, maxBatchSize: 5000 })
        for (const sample of samples) {
          tuner.record(sample)
          expect(tuner.next()).toSatisfy((size: number) => Number.isInteger(size) && size >= 3 && size <= 5000)
        }
      }),
    )
  })

  it('explains what it did, and remembers only so much', () => {
    const tuner = tunerWith()
    expect(tuner.explain()).toMatchObject([{ rule: 'first', from: 100, to: 100, sample: null, targetMs: 100 }])
    const sample = { items: 100, durationMs: 1000 }
    tuner.record(sample)
    expect(tuner.explain().at(-1)).toMatchObject({ rule: 'average', from: 100, to: 10, sample })
    for (let batch = 0; batch < 1000; batch += 1) tuner.record(sample)
    expect(tuner.explain()).toHaveLength(50)
  })
})
