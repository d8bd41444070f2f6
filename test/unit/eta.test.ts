import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json.js'
import { combineStatistics } from '../../src/pacing/combine-statistics.js'
import { etaSeconds } from '../../src/pacing/eta.js'
import { MAX_STRETCHES } from '../../src/pacing/rate-profile.js'
import {
  afterBatch,
  itemsPerSecond,
  NO_STATISTICS,
  restoreStatistics,
  type Statistics,
} from '../../src/pacing/statistics.js'
import { simulatedWalk, SIMULATED_WALKS, type RecordedRun, type SimulatedWalk } from '../support/simulated-walks.js'

/** One look at a run: the range that was told, and the seconds that were left, downtime included. */
interface Look {
  readonly range: readonly [low: number, high: number] | null
  readonly left: number
}

const WALKS = Object.keys(SIMULATED_WALKS) as SimulatedWalk[]

// Two ranges of seeds: no figure is met by one lucky range.
const FIRST_SEEDS = [0, 10_000]
const RUNS = 50

// Every 5 % of a run's time, but its very end.
const MOMENTS = Array.from({ length: 19 }, (_, index) => (index + 1) / 20)

function restored(statistics: Statistics): Statistics {
  return restoreStatistics(JSON.parse(JSON.stringify(statistics)) as JsonValue)
}

/** Plays a run into the statistics as the runner does, over a restart too, and looks at it at the moments. */
function looksAt({ batches, endSeconds, wholeMayBeOff }: RecordedRun): Look[] {
  const looks: Look[] = []
  let statistics = NO_STATISTICS
  for (const [index, { atSeconds, restarted, ...batch }] of batches.entries()) {
    if (restarted) statistics = restored(statistics)
    statistics = afterBatch(statistics, { ...batch, durationMs: batch.elapsedMs, idle: false })
    while (looks.length < MOMENTS.length && atSeconds >= (MOMENTS[looks.length] ?? 1) * endSeconds) {
      looks.push({ range: etaSeconds(statistics, index + 1, wholeMayBeOff), left: endSeconds - atSeconds })
    }
  }
  return looks
}

function judge(name: SimulatedWalk, firstSeed: number) {
  const looks = Array.from({ length: RUNS }, (_, index) => looksAt(simulatedWalk(name, firstSeed + index))).flat()
  const told = looks.flatMap(({ range, left }) => (range === null ? [] : [{ range, left }]))
  const held = told.filter(({ range: [low, high], left }) => low <= left && left <= high)
  const widths = told.map(({ range: [low, high] }) => high / low).sort((a, b) => a - b)
  return {
    told: told.length / looks.length,
    held: held.length / told.length,
    medianWidth: widths[Math.floor(widths.length / 2)] ?? NaN,
  }
}

describe('the ETA of simulated walks, looked at every 5 % of their time', () => {
  it.each(WALKS)('%s: at least nine looks of ten hold the end', (name) => {
    for (const firstSeed of FIRST_SEEDS) {
      const { told, held } = judge(name, firstSeed)
      expect(told).toBeGreaterThan(0.95)
      expect(held).toBeGreaterThanOrEqual(0.9)
    }
  })

  it('is no wider than a factor of about three in the median while nothing happens', () => {
    for (const firstSeed of FIRST_SEEDS) {
      const { medianWidth, held } = judge('steady, 30 % noise', firstSeed)
      expect(medianWidth).toBeLessThanOrEqual(3.3)
      expect(held).toBeGreaterThanOrEqual(0.98)
    }
  })

  it('the fraction never goes back, and is never 100 % before the end, also over a restart', () => {
    for (const name of WALKS) {
      let statistics = NO_STATISTICS
      let before = 0
      for (const { restarted, ...batch } of simulatedWalk(name, 1).batches) {
        if (restarted) statistics = restored(statistics)
        statistics = afterBatch(statistics, { ...batch, durationMs: batch.elapsedMs, idle: false })
        expect(statistics.fraction).toBeGreaterThanOrEqual(before)
        expect(statistics.fraction).toBeLessThan(1)
        before = statistics.fraction ?? NaN
      }
    }
  })

  it('a restart and its downtime change neither range nor rate', () => {
    const { batches } = simulatedWalk('steady, 30 % noise', 7)
    const play = (restartAt: number) =>
      batches.reduce(
        (statistics, batch, index) =>
          afterBatch(index === restartAt ? restored(statistics) : statistics, {
            ...batch,
            durationMs: batch.elapsedMs,
            idle: false,
          }),
        NO_STATISTICS,
      )
    expect(play(60)).toEqual(play(-1))
  })
})

describe('what is kept for it', () => {
  it('whatever an update reports, the fraction is from 0 to below 1 and never goes back, and all is small', () => {
    const reported = fc.oneof(fc.double(), fc.constant(null))
    const batch = fc.record({
      fraction: reported,
      elapsedMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
      items: fc.nat(),
      durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      idle: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 100 }), (batches) => {
        let statistics = NO_STATISTICS
        for (const each of batches) {
          const next = afterBatch(statistics, each)
          if (next.fraction !== null) {
            expect(next.fraction).toBeGreaterThanOrEqual(statistics.fraction ?? 0)
            expect(next.fraction).toBeLessThan(1)
          }
          expect(next.profile.length).toBeLessThanOrEqual(MAX_STRETCHES)
          expect(restored(next)).toEqual(next)
          const range = etaSeconds(next, 20)
          if (range !== null) expect(range[0]).toBeLessThanOrEqual(range[1])
          statistics = next
        }
        expect(JSON.stringify(statistics).length).toBeLessThan(1_000)
      }),
    )
  })

  it('a million short batches are all counted', () => {
    let statistics = NO_STATISTICS
    const batches = 1_000_000
    for (let index = 0; index < batches; index += 1) {
      const fraction = ((index + 1) / batches) * 0.9
      statistics = afterBatch(statistics, { items: 1, durationMs: 1, elapsedMs: 1, fraction, idle: false })
    }
    const seconds = statistics.profile.reduce((sum, [each]) => sum + each, 0)
    const advance = statistics.profile.reduce((sum, [, each]) => sum + each, 0)
    expect(seconds / 1_000).toBeCloseTo(1, 2)
    expect(advance).toBeCloseTo(0.9, 2)
  })
})

describe('lanes', () => {
  const batch = { items: 100, durationMs: 100, elapsedMs: 100, idle: false }
  const lane = (batches: number, step: number) =>
    Array.from({ length: batches }, (_, index) => (index + 1) * step).reduce(
      (statistics, fraction) => afterBatch(statistics, { ...batch, fraction }),
      NO_STATISTICS,
    )
  const running = { running: true, finished: false }

  it('two that are alike are twice as fast, and done as far', () => {
    const one = lane(300, 0.001)
    const both = combineStatistics([
      { statistics: one, share: 0.5, ...running },
      { statistics: one, share: 0.5, ...running },
    ])
    expect(both.fraction).toBeCloseTo(0.3)
    expect(itemsPerSecond(both)).toBeCloseTo(2_000)
    const alone = etaSeconds(one, 300) ?? [NaN, NaN]
    const together = etaSeconds(both, 600) ?? [NaN, NaN]
    expect(together[0]).toBeCloseTo(alone[0], 0)
    expect(together[1]).toBeCloseTo(alone[1], 0)
  })

  it('one that nobody runs has no rate, one that is finished counts whole, one that nobody began counts nothing', () => {
    const statistics = lane(300, 0.001)
    const whole = combineStatistics([
      { statistics, share: 0.25, ...running },
      { statistics, share: 0.25, running: false, finished: false },
      { statistics, share: 0.25, running: false, finished: true },
      { statistics: NO_STATISTICS, share: 0.25, running: false, finished: false },
    ])
    expect(whole.fraction).toBeCloseTo(0.25 * (0.3 + 0.3 + 1))
    expect(itemsPerSecond(whole)).toBeCloseTo(1_000)
    // A quarter of the rate, for 0.6 of the walk.
    const [low, high] = etaSeconds(whole, 300) ?? [NaN, NaN]
    expect(low).toBeLessThan((0.6 / 0.25) * 100)
    expect(high).toBeGreaterThan((0.6 / 0.25) * 100)
  })

  it('is 100 % only when all are finished, and unknown when one that is under way is unknown', () => {
    const finished = { statistics: NO_STATISTICS, share: 0.5, running: false, finished: true }
    expect(combineStatistics([finished, finished]).fraction).toBe(1)
    expect(combineStatistics([finished, { ...finished, share: 0.5, finished: false }]).fraction).toBe(0.5)
    const unknown = afterBatch(NO_STATISTICS, { ...batch, fraction: null })
    expect(combineStatistics([finished, { statistics: unknown, share: 0.5, ...running }]).fraction).toBeNull()
  })
})
