import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterFailure, backOffMs, type FailureCounters } from '../../src/queue/failure-policy.js'

describe('back-off', () => {
  it('is 1 s, doubling to 60 s', () => {
    const middle = () => 0.5
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((attempts) => backOffMs(attempts, middle))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000,
    ])
  })

  it('is never further than 20 % from that', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, random) => {
          const base = backOffMs(attempts, () => 0.5)
          expect(backOffMs(attempts, () => random)).toBeGreaterThanOrEqual(base * 0.8 - 1e-6)
          expect(backOffMs(attempts, () => random)).toBeLessThanOrEqual(base * 1.2 + 1e-6)
        },
      ),
    )
  })
})

describe('failure counters', () => {
  const limits = { maxAttempts: 5, permanent: false }

  it('stop at what their column holds', () => {
    const most = 2 ** 31 - 1
    expect(afterFailure({ attempts: most, outcomes: '' }, limits)).toMatchObject({ attempts: most, failed: true })
  })

  /** Plays batches, `true` committed, as the rows of the queue count them. */
  function play(batches: readonly boolean[]): { failed: boolean; at: number } {
    let counters: FailureCounters = { attempts: 0, outcomes: '' }
    for (const [at, committed] of batches.entries()) {
      if (committed) counters = { attempts: 0, outcomes: `${counters.outcomes}.`.slice(-20) }
      else {
        const verdict = afterFailure(counters, limits)
        if (verdict.failed) return { failed: true, at }
        counters = verdict
      }
    }
    return { failed: false, at: batches.length }
  }

  it('gives up exactly when five fail in a row or more than half of the last 20', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (batches) => {
        const hopeless = batches.findIndex((committed, index) => {
          if (committed) return false
          const window = batches.slice(Math.max(0, index - 19), index + 1)
          const inARow = index >= 4 && batches.slice(index - 4, index + 1).every((each) => !each)
          return inARow || window.filter((each) => !each).length > 10
        })
        expect(play(batches)).toEqual(
          hopeless < 0 ? { failed: false, at: batches.length } : { failed: true, at: hopeless },
        )
      }),
    )
  })

  it('gives up at once when trying again cannot help', () => {
    expect(afterFailure({ attempts: 0, outcomes: '' }, { ...limits, permanent: true })).toEqual({
      attempts: 1,
      outcomes: 'x',
      failed: true,
    })
  })

  it('puts up with locks six times as long, and counts them apart', () => {
    const lock = { ...limits, lock: true }
    let counters: FailureCounters = { attempts: 0, outcomes: '' }
    for (let failures = 1; failures < 30; failures += 1) {
      const verdict = afterFailure(counters, lock)
      expect(verdict).toMatchObject({ attempts: failures, failed: false })
      counters = verdict
    }
    expect(afterFailure(counters, lock).failed).toBe(true)
    // Four failures of its own between locks are four, the fifth is one too many.
    counters = { attempts: 0, outcomes: '.' }
    for (const isLock of [true, false, true, true, false, true, false, true, false]) {
      const verdict = afterFailure(counters, { ...limits, lock: isLock })
      expect(verdict.failed).toBe(false)
      counters = verdict
    }
    expect(afterFailure(counters, limits).failed).toBe(true)
  })
})
