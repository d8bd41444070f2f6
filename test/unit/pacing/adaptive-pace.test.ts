import { adaptivePace, type Pause, type Reading } from 'evenkeel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyReading, context, foreground, gauge, hardStop } from './readings.js'

/** One batch of a lane and the pause after it. */
interface Turn {
  readonly durationMs: number
  readonly commitMs: number
  readonly readings: readonly Reading[]
}

const anyTurn: fc.Arbitrary<Turn> = fc.record({
  durationMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
  commitMs: fc.double({ min: 0, max: 500, noNaN: true }),
  readings: fc.array(anyReading, { maxLength: 5 }),
})

const anyKnobs = fc.record(
  {
    preset: fc.constantFrom('fast', 'default', 'gentle'),
    maxDuty: fc.double({ min: 0.05, max: 1, noNaN: true }),
    minDuty: fc.double({ min: 0.001, max: 0.05, noNaN: true }),
    sharedTargetMs: fc.double({ min: 1, max: 200, noNaN: true }),
    sharedDuty: fc.double({ min: 0.001, max: 1, noNaN: true }),
  },
  { requiredKeys: [] },
)

describe('adaptivePace', () => {
  it('keeps the duty within its bounds, gives every wait a reason, and a smaller target only', () => {
    fc.assert(
      fc.property(
        anyKnobs,
        fc.array(anyTurn, { maxLength: 60 }),
        fc.constantFrom('postgres', 'sqlite'),
        (knobs, turns, dialect) => {
          const pace = adaptivePace(knobs)
          let nowMs = 0
          // Who held the work at the last look.
          let stoppedBefore = ''
          for (const { durationMs, commitMs, readings } of turns) {
            const pause = pace.beforeBatch(context(nowMs, readings, { dialect }))
            const { duty, mode } = pace.explain?.() ?? {}
            const { minDuty, maxDuty, sharedDuty, sharedTargetMs } = pace.knobs
            if (duty !== 0) {
              expect(duty).toBeGreaterThanOrEqual(Math.min(minDuty, sharedDuty * 0.15))
              expect(duty).toBeLessThanOrEqual(mode === 'shared' ? Math.min(maxDuty, sharedDuty) : maxDuty)
            }
            expect(pause.ms).toBeGreaterThanOrEqual(0)
            expect(pause.ms).toBeLessThanOrEqual(1_000)
            expect(pause.why).not.toBe('')
            if (pause.ms > 0) expect(pause.reason).toBeTruthy()
            // It stops for a reading alone, and says which.
            if (duty === 0) expect(readings.map(({ signal }) => signal).concat(stoppedBefore)).toContain(pause.reason)
            if (duty === 0) stoppedBefore = pause.reason ?? ''
            if (mode === 'shared' && duty !== 0)
              expect(pause.targetMs ?? 100).toBeLessThanOrEqual(Math.min(100, sharedTargetMs))
            if (pause.targetMs !== undefined) {
              expect(pause.targetMs).toBeGreaterThan(0)
              expect(pause.targetMs).toBeLessThan(100)
            }
            nowMs += pause.ms
            if (pause.again) continue
            nowMs += durationMs
            pace.afterBatch?.({ updateName: 'walk', nowMs, items: 1, durationMs, commitMs })
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('never waits while nothing is measured, however batches go', () => {
    fc.assert(
      fc.property(fc.array(anyTurn, { maxLength: 30 }), (turns) => {
        const pace = adaptivePace()
        let nowMs = 0
        for (const { durationMs } of turns) {
          expect(pace.beforeBatch(context(nowMs, []))).toEqual({ ms: 0, why: 'no pause' })
          nowMs += durationMs
          pace.afterBatch?.({ updateName: 'walk', nowMs, items: 1, durationMs, commitMs: 1 })
        }
      }),
    )
  })

  it('never is held by what never could be read', () => {
    const unknown = anyReading.map((reading): Reading => ({ ...reading, verdict: 'unknown', lastReadMs: null }))
    fc.assert(
      fc.property(fc.array(unknown, { maxLength: 8 }), (readings) => {
        const pace = adaptivePace()
        for (let nowMs = 0; nowMs < 60_000; nowMs += 1_000) {
          expect(pace.beforeBatch(context(nowMs, readings))).toEqual({ ms: 0, why: 'no pause' })
          pace.afterBatch?.({ updateName: 'walk', nowMs: nowMs + 1_000, items: 1, durationMs: 1_000, commitMs: 1 })
        }
      }),
    )
  })

  it('comes back to full speed from wherever it was', () => {
    fc.assert(
      fc.property(fc.array(anyTurn, { maxLength: 40 }), (turns) => {
        const pace = adaptivePace()
        let nowMs = 0
        for (const { readings } of turns) {
          pace.beforeBatch(context(nowMs, readings))
          nowMs += 500
        }
        // Readings that were stopping are calm now: 0.02 is 18 steps of a quarter below 1, and the foreground leaves.
        for (let second = 0; second < 30; second += 1, nowMs += 1_000) pace.beforeBatch(context(nowMs, []))
        expect(pace.explain?.()).toMatchObject({ duty: 1, mode: 'idle' })
      }),
    )
  })

  it('waits d × (n/q − 1) after a batch of d ms when throttled, and not at all at full duty', () => {
    const pace = adaptivePace()
    pace.beforeBatch(context(0, []))
    pace.afterBatch?.({ updateName: 'walk', nowMs: 100, items: 1, durationMs: 100, commitMs: 1 })
    expect(pace.beforeBatch(context(100, [], { lanes: 4 })).ms).toBe(0)
    const pressed = pace.beforeBatch(context(1_000, [gauge('p99', 0.9)], { lanes: 1 }))
    expect(pressed).toMatchObject({ ms: 0 })
    pace.afterBatch?.({ updateName: 'walk', nowMs: 1_100, items: 1, durationMs: 100, commitMs: 1 })
    expect(pace.beforeBatch(context(1_100, [gauge('p99', 0.9)])).ms).toBeCloseTo(100 / 0.8 - 100)
    const shared = pace.beforeBatch(context(1_100, [gauge('p99', 0.9)], { lanes: 3 }))
    expect(shared.ms).toBeCloseTo((100 * 3) / 0.8 - 100)
    expect(shared).toMatchObject({ reason: 'p99', why: 'works 80 % of the time: p99 is at 0.9 of its limit' })
    // Each lane rests from its own batch.
    expect(pace.beforeBatch(context(1_100, [gauge('p99', 0.9)], { lanes: 3, lane: 1 })).ms).toBe(0)
  })

  it('asks to be asked again each second of a long pause', () => {
    const pace = adaptivePace({ maxDuty: 0.02 })
    pace.beforeBatch(context(0, []))
    pace.afterBatch?.({ updateName: 'walk', nowMs: 100, items: 1, durationMs: 100, commitMs: 1 })
    const pauses: Pause[] = []
    for (let nowMs = 100; ;) {
      const pause = pace.beforeBatch(context(nowMs, []))
      pauses.push(pause)
      nowMs += pause.ms
      if (!pause.again) break
    }
    expect(pauses.map(({ ms }) => Math.round(ms))).toEqual([1_000, 1_000, 1_000, 1_000, 900])
  })

  it('lets at least 1 ms lie between batches on SQLite', () => {
    const pace = adaptivePace()
    expect(pace.beforeBatch(context(0, [], { dialect: 'sqlite' })).ms).toBe(0)
    pace.afterBatch?.({ updateName: 'walk', nowMs: 25, items: 1, durationMs: 25, commitMs: 1 })
    expect(pace.beforeBatch(context(25, [], { dialect: 'sqlite' }))).toMatchObject({ ms: 1, reason: 'duty' })
    expect(pace.beforeBatch(context(26, [], { dialect: 'sqlite' })).ms).toBe(0)
  })
})

describe('beside a foreground', () => {
  it('batches are short and rare at once, and full again only after some quiet', () => {
    const pace = adaptivePace()
    pace.beforeBatch(context(0, [foreground(false, 0)]))
    pace.afterBatch?.({ updateName: 'walk', nowMs: 100, items: 1, durationMs: 100, commitMs: 1 })
    expect(pace.beforeBatch(context(100, [foreground(false, 100)]))).toEqual({ ms: 0, why: 'no pause' })
    const shared = pace.beforeBatch(context(101, [foreground(true, 101)]))
    expect(shared).toMatchObject({
      targetMs: 20,
      reason: 'foreground',
      why: 'works 20 % of the time: others are at work',
      statements: { ms: 50, restMs: 0 },
    })
    expect(shared.ms).toBeCloseTo(100 / 0.2 - 101)
    for (const nowMs of [1_000, 3_000, 5_000]) {
      expect(pace.beforeBatch(context(nowMs, [foreground(false, nowMs)])).targetMs).toBe(20)
    }
    expect(pace.beforeBatch(context(5_101, [foreground(false, 5_101)]))).toEqual({ ms: 0, why: 'no pause' })
    expect(pace.explain?.().decisions.map(({ about, from, to }) => [about, from, to])).toEqual([
      ['mode', 'idle', 'shared'],
      ['mode', 'shared', 'idle'],
    ])
  })

  it('somebody may be there until the signal was read for the first time, but not for ever', () => {
    const pace = adaptivePace()
    const signals = ['foreground']
    const unseen = pace.beforeBatch(context(0, [], { signals }))
    expect(unseen.targetMs).toBe(20)
    // Whom nobody has seen needs no rests within a batch.
    expect(unseen.statements).toBeUndefined()
    expect(pace.beforeBatch(context(900, [foreground(false, 900)])).targetMs).toBeUndefined()
    const blind = adaptivePace()
    expect(blind.beforeBatch(context(0, [], { signals })).targetMs).toBe(20)
    expect(blind.beforeBatch(context(15_000, [], { signals })).targetMs).toBeUndefined()
    // Without rights: unknown from the start.
    const noRights: Reading = { ...foreground(true), verdict: 'unknown', value: null, lastReadMs: null }
    expect(adaptivePace().beforeBatch(context(0, [noRights])).targetMs).toBeUndefined()
  })

  it('keeps the mode while the signal cannot be read any more', () => {
    const pace = adaptivePace()
    pace.beforeBatch(context(0, [foreground(true, 0)]))
    const blind: Reading = { ...foreground(true, 0), verdict: 'unknown', value: null }
    expect(pace.beforeBatch(context(60_000, [blind])).targetMs).toBe(20)
  })

  it('the busier others keep the cores, the less room there is, at once; SQLite has presets of its own', () => {
    const dutyBeside = (utilisation: number, of: 'postgres' | 'sqlite' = 'postgres') => {
      const pace = adaptivePace()
      pace.beforeBatch(context(0, [foreground(true), gauge('active backends', utilisation)], { dialect: of }))
      return pace.explain?.().duty
    }
    expect(dutyBeside(0)).toBe(0.2)
    // What a foreground far from its limits needs is left to it anyway.
    expect(dutyBeside(0.5)).toBe(0.2)
    expect(dutyBeside(0.7)).toBeCloseTo(0.2 * 0.575)
    expect(dutyBeside(0.8)).toBeCloseTo(0.2 * 0.3625)
    expect(dutyBeside(0, 'sqlite')).toBe(0.1)
    const sqlite = adaptivePace().beforeBatch(context(0, [foreground(true)], { dialect: 'sqlite' }))
    expect(sqlite).toMatchObject({ targetMs: 2 })
    expect(sqlite.statements).toBeUndefined()
  })

  it('the preset fast bears twice the sessions at work, in its room and before it stops', () => {
    const beside = (preset: 'fast' | 'default', utilisation: number) => {
      const pace = adaptivePace({ preset })
      pace.beforeBatch(context(0, [foreground(true), gauge('active backends', utilisation, { verdict: 'stop' })]))
      return pace.explain?.().duty
    }
    expect(beside('default', 1.1)).toBe(0)
    expect(beside('fast', 0.9)).toBe(0.4)
    expect(beside('fast', 1.4)).toBeCloseTo(0.4 * 0.575)
    expect(beside('fast', 2.2)).toBe(0)
  })

  it('a moment without room is over as soon as there is some: what was decided in it is not kept for long', () => {
    const pace = adaptivePace()
    const beside = (nowMs: number, utilisation: number) =>
      pace.beforeBatch(context(nowMs, [foreground(true, nowMs), gauge('active backends', utilisation)]))
    beside(0, 0.9)
    expect(pace.explain?.().duty).toBeCloseTo(0.2 * 0.15)
    beside(250, 0.3)
    expect(pace.explain?.().duty).toBeCloseTo(0.2 * 0.8)
    beside(1_000, 0.3)
    expect(pace.explain?.().duty).toBe(0.2)
  })

  it.each(['postgres', 'sqlite'] as const)(
    'until it is known whether somebody is there batches are short (%s)',
    (dialect) => {
      const pace = adaptivePace()
      const unknown = (nowMs: number) => context(nowMs, [], { dialect, signals: ['foreground'] })
      expect(pace.beforeBatch(unknown(0)).targetMs).toBe(dialect === 'sqlite' ? 10 : 20)
      pace.afterBatch?.({ updateName: 'walk', nowMs: 30, items: 1, durationMs: 30, commitMs: 1 })
      // That is over after a few of them: rests would be most of that time.
      expect(pace.beforeBatch(unknown(30)).ms).toBe(dialect === 'sqlite' ? 1 : 0)
    },
  )

  it('presets differ in how short and how rare, and a target of its own that is smaller wins', () => {
    const first = (preset: 'fast' | 'default' | 'gentle', targetMs: number) =>
      adaptivePace({ preset }).beforeBatch(context(0, [foreground(true)], { targetMs })).targetMs
    expect([first('fast', 100), first('default', 100), first('gentle', 100)]).toEqual([16, 20, 16])
    expect(first('default', 8)).toBeUndefined()
  })

  it('has its WAL measured by a role that may look at it, for it would fail every batch of another', () => {
    const measured = (verdict: Reading['verdict'] | null) => {
      const readings = verdict === null ? [] : [gauge('wal rate', 0, { verdict })]
      return adaptivePace().beforeBatch(context(0, [foreground(true), ...readings])).statements?.wal
    }
    expect([measured('calm'), measured('unknown'), measured(null)]).toEqual([true, false, false])
  })

  it('WAL counts only then, spread by the preset, and never stops', () => {
    const at = (utilisation: number, present: boolean, preset: 'fast' | 'default' | 'gentle') => {
      const pace = adaptivePace({ preset, sharedDuty: 1 })
      for (let nowMs = 0; nowMs <= 30_000; nowMs += 1_000) {
        pace.beforeBatch(context(nowMs, [foreground(present, nowMs), gauge('wal rate', utilisation)]))
      }
      return pace.explain?.().duty
    }
    expect(at(50, false, 'gentle')).toBe(1)
    expect(at(4.5, true, 'gentle')).toBe(0.02)
    expect(at(0.9, true, 'default')).toBe(1)
    expect(at(9, true, 'default')).toBe(0.02)
    expect(at(9, true, 'fast')).toBe(1)
    expect(at(1_000, true, 'fast')).toBe(0.02)
  })
})

describe('somebody who waits for our locks', () => {
  it('halves the target of the next batch at once, down to 2 ms, and it grows back slowly', () => {
    const pace = adaptivePace()
    const waiters = (nowMs: number, value: number) => gauge('lock waiters', 0, { value, lastReadMs: nowMs })
    const target = (nowMs: number, value: number) => pace.beforeBatch(context(nowMs, [waiters(nowMs, value)])).targetMs
    expect(target(0, 0)).toBeUndefined()
    expect(target(10, 1)).toBe(50)
    // The same reading halves once.
    expect(pace.beforeBatch(context(11, [waiters(10, 1)])).targetMs).toBe(50)
    expect([target(20, 2), target(30, 1), target(40, 1), target(50, 1), target(60, 1), target(70, 1)]).toEqual([
      25, 12.5, 6.25, 3.125, 2, 2,
    ])
    let seconds = 0
    for (let nowMs = 1_000; target(nowMs, 0) !== undefined; nowMs += 1_000) seconds += 1
    expect(seconds).toBeGreaterThan(30)
    expect(seconds).toBeLessThan(50)
    expect(pace.explain?.().decisions[0]).toMatchObject({ about: 'target', rule: 'halve', from: 1, to: 0.5 })
  })
})

describe('hard stops', () => {
  it('hold the work as long as they say so, with their words, and it goes on at half', () => {
    const pace = adaptivePace()
    pace.beforeBatch(context(0, [hardStop('replication lag', 'calm')]))
    const held = pace.beforeBatch(context(100, [hardStop('replication lag', 'stop')]))
    expect(held).toEqual({
      ms: 1_000,
      again: true,
      reason: 'replication lag',
      why: 'stopped: replication lag says stop',
    })
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 60_000) {
      expect(pace.beforeBatch(context(nowMs, [hardStop('replication lag', 'stop', nowMs)])).again).toBe(true)
    }
    expect(pace.beforeBatch(context(3_600_000, [hardStop('replication lag', 'calm', 3_600_000)])).again).toBeUndefined()
    expect(pace.explain?.().duty).toBeLessThan(0.7)
  })

  it('close after 15 s without a reading, if they ever were read; before that they say what they said', () => {
    const pace = adaptivePace()
    const lost = (nowMs: number) => pace.beforeBatch(context(nowMs, [hardStop('archiver', 'unknown', 0)]))
    pace.beforeBatch(context(0, [hardStop('archiver', 'calm', 0)]))
    expect(lost(14_999).ms).toBe(0)
    expect(lost(15_000)).toMatchObject({ again: true, reason: 'archiver' })
    expect(lost(15_000).why).toContain("could be read and can't be any more, for 15 s")
    const held = adaptivePace()
    held.beforeBatch(context(0, [hardStop('archiver', 'stop', 0)]))
    expect(held.beforeBatch(context(1_000, [hardStop('archiver', 'unknown', 0)])).again).toBe(true)
    const never = adaptivePace()
    expect(never.beforeBatch(context(60_000, [hardStop('archiver', 'unknown', null)])).ms).toBe(0)
  })

  it('a gauge that says stop holds too, for as long as it says so', () => {
    const pace = adaptivePace()
    const p99 = (nowMs: number, verdict: Reading['verdict']): Reading => {
      return { ...gauge('p99', 0), utilisation: undefined, verdict, lastReadMs: nowMs }
    }
    pace.beforeBatch(context(0, [p99(0, 'calm')]))
    // Within the second, too: it isn't waited for the next decision.
    for (let nowMs = 10; nowMs < 600_000; nowMs += 1_000) {
      expect(pace.beforeBatch(context(nowMs, [p99(nowMs, 'stop')]))).toMatchObject({ again: true, reason: 'p99' })
    }
    expect(pace.beforeBatch(context(601_000, [p99(601_000, 'calm')])).again).toBeUndefined()
    expect(pace.explain?.().duty).toBe(0.5)
  })
})

describe('knobs', () => {
  it('can be turned while it runs, and turned back', () => {
    const pace = adaptivePace({ preset: 'gentle', sharedDuty: 0.05 })
    pace.turn({ maxDuty: 0.5 })
    expect(pace.knobs).toMatchObject({ maxDuty: 0.5, sharedDuty: 0.05, sharedTargetMs: 16 })
    pace.beforeBatch(context(0, []))
    expect(pace.explain?.().duty).toBe(0.5)
    pace.turn({ preset: 'fast' })
    expect(pace.knobs).toMatchObject({ maxDuty: 1, sharedDuty: 0.4, sharedTargetMs: 16 })
    pace.turn({ maxDuty: 0.01 })
    expect(pace.knobs).toMatchObject({ maxDuty: 0.01, minDuty: 0.01 })
    pace.turn({})
    expect(pace.knobs).toMatchObject({ maxDuty: 1, minDuty: 0.02, sharedDuty: 0.05 })
  })

  it('that are wrong are refused together, each with a suggestion', () => {
    const problems = (options: unknown) => {
      try {
        adaptivePace(options as never)
        return ''
      } catch (error) {
        return (error as Error).message
      }
    }
    const text = problems({ preset: 'gentel', maxDuti: 1, minDuty: 0, sharedTargetMs: '10', walSpread: NaN })
    expect(text).toContain('did you mean "gentle"?')
    expect(text).toContain('did you mean "maxDuty"?')
    expect(text).toContain('minDuty must be a number from 0.001 to 1, not 0')
    expect(text).toContain('sharedTargetMs')
    expect(text).toContain('walSpread')
    expect(problems({ minDuty: 0.5, maxDuty: 0.1 })).toContain('minDuty 0.5 is above maxDuty 0.1')
    expect(problems(null)).not.toBe('')
    expect(problems('gentle')).toContain("adaptivePace({ preset: 'gentle' })")
  })
})
