import { postgresSignals, signal, sqliteSignals } from 'evenkeel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CounterWindow } from '../../src/signals/counter-window.js'
import { resolveSignals, signalsProblems } from '../../src/signals/option.js'
import { segmentsWaiting } from '../../src/signals/postgres/archiver.js'
import { presence } from '../../src/signals/postgres/foreground.js'
import { judge as judgeMaintenance } from '../../src/signals/postgres/maintenance.js'
import { lagOf, WrittenWal } from '../../src/signals/postgres/replication-lag.js'
import { checkpointBudget } from '../../src/signals/postgres/wal-rate.js'
import { bytesText, digits, durationText } from '../../src/signals/units.js'
import { verdictOf, worst } from '../../src/signals/verdict.js'

const positive = fc.double({ min: 0.001, max: 1e12, noNaN: true })

describe('the rate of a counter', () => {
  it('is never below zero and never above the steepest step, whatever is reset', () => {
    const steps = fc.array(
      fc.record({ ms: fc.integer({ min: 1, max: 5_000 }), by: fc.nat(1_000), reset: fc.boolean() }),
      { minLength: 2 },
    )
    fc.assert(
      fc.property(steps, (looks) => {
        const window = new CounterWindow(10_000)
        let atMs = 0
        let value = 0
        let steepest = 0
        for (const { ms, by, reset } of looks) {
          atMs += ms
          value = reset ? by : value + by
          steepest = Math.max(steepest, (by / ms) * 1_000)
          const rate = window.perSecond(value, atMs)
          if (rate === null) continue
          expect(rate).toBeGreaterThanOrEqual(0)
          // A counter that was reset and has grown beyond where it was can't be told from one that ran on.
          if (!looks.some((look) => look.reset)) expect(rate).toBeLessThanOrEqual(steepest * (1 + 1e-9))
        }
      }),
    )
  })

  it('forgets what is behind its window', () => {
    const window = new CounterWindow(1_000)
    expect(window.perSecond(0, 0)).toBeNull()
    expect(window.perSecond(500, 500)).toBe(1_000)
    for (let atMs = 1_000; atMs <= 3_000; atMs += 500) window.perSecond(500, atMs)
    expect(window.perSecond(500, 3_500)).toBe(0)
    // After a restart it begins anew.
    expect(window.perSecond(3, 4_000)).toBeNull()
    expect(window.perSecond(5, 5_000)).toBe(2)
  })
})

describe('replication lag', () => {
  const limits = { lagMs: 5_000, lagBytes: 1_000, ignored: [] }
  const replica = { name: 'b', written: 10_000, lag_ms: null, hidden: false }

  it('is the time since the primary wrote what is not replayed, from below, and 0 once all is', () => {
    const writes = fc.array(fc.tuple(fc.integer({ min: 1, max: 2_000 }), fc.nat(100)), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(writes, fc.nat(5_000), (steps, replayed) => {
        const wal = new WrittenWal()
        let atMs = 0
        let written = 0
        let truthMs: number | null = null
        for (const [ms, bytes] of steps) {
          atMs += ms
          written += bytes
          if (written > replayed) truthMs ??= atMs
          wal.saw(written, atMs)
        }
        expect(wal.behindMs(replayed, atMs + 7)).toBe(truthMs === null ? 0 : atMs + 7 - truthMs)
        expect(wal.behindMs(written, atMs)).toBe(0)
      }),
    )
  })

  it('believes the worse of both clocks, and of time and WAL; a replica that has everything lags by nothing', () => {
    expect(lagOf({ ...replica, replayed: 10_000, lag_ms: 60_000 }, 60_000, limits)).toMatchObject({
      value: 0,
      verdict: 'calm',
    })
    expect(lagOf({ ...replica, replayed: 9_900, lag_ms: 6_000 }, 10, limits)).toMatchObject({
      value: 6_000,
      verdict: 'stop',
    })
    expect(lagOf({ ...replica, replayed: 9_900, lag_ms: 1 }, 6_000, limits)).toMatchObject({
      value: 6_000,
      verdict: 'stop',
    })
    expect(lagOf({ ...replica, replayed: 8_000 }, 10, limits)).toMatchObject({
      value: 10,
      verdict: 'stop',
      utilisation: 2,
    })
    // After a fail-over its WAL may be ahead of what this primary has.
    expect(lagOf({ ...replica, replayed: 11_000 }, 0, limits)).toMatchObject({ value: 0, verdict: 'calm' })
  })
})

describe('segments that wait for the archiver', () => {
  const name = (number: number, segmentBytes: number, timeline = 1) => {
    const perLog = 2 ** 32 / segmentBytes
    const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, '0')
    return hex(timeline) + hex(Math.floor(number / perLog)) + hex(number % perLog)
  }
  const sizes = fc.constantFrom(...[1, 16, 64, 1_024].map((megabytes) => megabytes * 1_048_576))

  it('are those between the last archived one and the one being written, over logs and timelines', () => {
    fc.assert(
      fc.property(sizes, fc.nat(1e6), fc.nat(1_000), fc.nat(5), (segmentBytes, last, waiting, timelines) => {
        const current = name(last + 1 + waiting, segmentBytes, 1 + timelines)
        const archived = name(last, segmentBytes)
        const found = { current, failed: null, segment_bytes: segmentBytes }
        expect(segmentsWaiting({ ...found, archived })).toBe(waiting)
        expect(segmentsWaiting({ ...found, archived: `${archived}.00000028.backup` })).toBe(waiting)
        // Nothing was ever archived: it fails at the oldest.
        expect(segmentsWaiting({ ...found, archived: null, failed: name(last + 1, segmentBytes) })).toBe(waiting)
      }),
    )
  })

  it('are unknown while the archiver has done nothing, or only a history file', () => {
    const found = { current: name(5, 1_048_576), archived: null, failed: null, segment_bytes: 1_048_576 }
    expect(segmentsWaiting(found)).toBeNull()
    expect(segmentsWaiting({ ...found, archived: '00000002.history' })).toBeNull()
  })
})

describe('presence of a foreground', () => {
  it('is told by commits over the threshold or by a statement at length, and never stops the work', () => {
    const seconds = fc.double({ min: 0.5, max: 10, noNaN: true })
    fc.assert(
      fc.property(fc.nat(3), fc.option(positive), positive, seconds, positive, (atLength, foreign, own, span, tps) => {
        const { verdict, utilisation = 1 } = presence({ atLength, foreign, own, seconds: span, processes: 0 }, tps)
        if (atLength > 0) expect(verdict).toBe('pressure')
        else if ((foreign ?? 0) <= tps) expect(verdict).toBe('calm')
        expect(utilisation).toBeLessThan(1)
      }),
    )
  })

  it('is not mistaken for our own commits that are reported late, and sees a foreground within a second', () => {
    const at = (foreign: number, own: number, seconds: number, processes = 0) =>
      presence({ atLength: 0, foreign, own, seconds, processes }, 2).verdict
    // 20 commits of ours were made before the first look and reported after it.
    expect([at(20, 10, 1), at(2, 10, 10), at(15, 100, 10)]).toEqual(['calm', 'calm', 'calm'])
    // Each process of ours has some of its own.
    expect([at(40, 10, 1), at(40, 10, 1, 1), at(300, 10, 1, 1)]).toEqual(['pressure', 'calm', 'pressure'])
    expect([at(300, 10, 1), at(300, 100, 1), at(10, 10, 10), at(100, 100, 10)]).toEqual(Array(4).fill('pressure'))
  })
})

it('a checkpoint is forced when the WAL reaches max_wal_size over 1 + the completion target', () => {
  const stock = { max_wal_size: 1_024, checkpoint_timeout: 300, completion_target: 0.9 }
  expect(checkpointBudget(stock) * 300).toBeCloseTo(1_024 / 1.9)
})

it('maintenance stops for whoever is in the way, and only slows down beside a VACUUM', () => {
  const vacuum = { pid: 1, mode: 'ShareUpdateExclusiveLock', granted: true, autovacuum: true }
  const judge = (locks: readonly (typeof vacuum)[], ageMs = 0) => judgeMaintenance(locks, () => ageMs, 'users')
  expect(judge([])).toMatchObject({ verdict: 'calm', utilisation: 0 })
  expect(judge([vacuum])).toMatchObject({ verdict: 'pressure', utilisation: 0.9 })
  expect(judge([{ ...vacuum, granted: false }])).toMatchObject({ verdict: 'pressure' })
  // For hours, perhaps: then the speed is kept, not lowered further.
  expect(judge([vacuum], 600_001)).toMatchObject({ verdict: 'pressure', utilisation: 0.75 })
  expect(judge([vacuum, { ...vacuum, mode: 'AccessExclusiveLock', granted: false }])).toMatchObject({ verdict: 'stop' })
})

it('verdicts follow the utilisation', () => {
  expect([0, 0.79, 0.8, 1, 1.01].map(verdictOf)).toEqual(['calm', 'calm', 'pressure', 'pressure', 'stop'])
  expect(worst([])).toBeUndefined()
})

it('numbers are as exact as anybody wants to know', () => {
  expect([0, 0.123, 1.26, 12.6, 1_234.5].map(digits)).toEqual(['0', '0.12', '1.3', '13', '1235'])
  expect([0, 1_023, 1_536, 268_435_456, 5e15].map(bytesText)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1.5 kB',
    '256 MB',
    '4547 TB',
  ])
  expect([5.4, 999, 5_000, 119_000, 600_000, 7_200_000].map(durationText)).toEqual([
    '5 ms',
    '999 ms',
    '5 s',
    '119 s',
    '10 min',
    '2 h',
  ])
})

describe('the option signals', () => {
  const own = signal({ name: 'p99', threshold: 1, sample: () => 0 })
  const names = (...given: Parameters<typeof resolveSignals>) => resolveSignals(...given).map(({ name }) => name)

  it('is everything ready-made by default, nothing when false, and takes own ones and other limits', () => {
    expect(names(undefined, 'sqlite')).toEqual(['foreground', 'busy writers', 'wal size'])
    expect(names('auto', 'postgres')).toEqual([
      'replication lag',
      'replication slots',
      'archiver',
      'long transaction',
      'lock waiters',
      'foreground',
      'active backends',
      'maintenance',
      'wal rate',
      'wal bytes',
    ])
    expect(names(false, 'postgres')).toEqual([])
    expect(names([own], 'sqlite')).toEqual(['foreground', 'busy writers', 'wal size', 'p99'])
    expect(names([sqliteSignals({ off: ['wal size'] }), own], 'sqlite')).toEqual(['foreground', 'busy writers', 'p99'])
    expect(names([sqliteSignals({ off: ['wal size'] })], 'postgres')).toHaveLength(10)
    expect(names([postgresSignals({ databaseGrowth: 1 })], 'postgres')).toContain('database growth')
    // One of the application's own by the name of a ready-made one takes its place.
    const replaced = resolveSignals([signal({ name: 'archiver', threshold: 1, sample: () => 0 })], 'postgres')
    expect(replaced.filter(({ name }) => name === 'archiver')).toMatchObject([{ shared: false }])
  })

  it('is checked whole', () => {
    expect(signalsProblems('off')).toEqual([`signals must be 'auto', false or an array of signals, not "off"`])
    expect(signalsProblems([own, {}])).toEqual([
      'signals[1] must be what signal(), postgresSignals() or sqliteSignals() returns, not an object',
    ])
    expect(() => signal({ name: '', kind: 'soft', threshold: 0, intervalMs: -1, sampel: 1 } as never)).toThrow(
      'signal "": unknown option "sampel"; did you mean "sample"?; intervalMs must be a number of milliseconds above 0, ' +
        'not -1; name must be a name, not ""; sample must be a function, not undefined; ' +
        `kind must be 'gauge' or 'hard stop', not "soft"; threshold must be a number above 0, not 0`,
    )
    expect(() => postgresSignals({ slotBytes: 0, off: ['archive'] })).toThrow(
      'postgresSignals: slotBytes must be a number above 0, not 0; off: there is no signal "archive"; did you mean "archiver"?',
    )
    expect(() => sqliteSignals({ busyshare: 1 } as never)).toThrow('did you mean "busyShare"?')
    expect(() => postgresSignals(null as never)).toThrow('postgresSignals: options must be an object')
  })
})
