import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BudgetKeeper, budgetProblems } from '../../../src/pacing/budgets/budgets.js'
import { LimitedPace } from '../../../src/pacing/limited-pace.js'
import { fixedPace, noPace } from '../../../src/pacing/fixed-pace.js'
import { context, gauge } from './readings.js'

describe('the budget of rows a second', () => {
  const anyRun = fc.record({
    rate: fc.integer({ min: 1, max: 100_000 }),
    lanes: fc.integer({ min: 1, max: 4 }),
    batches: fc.array(
      fc.record({
        items: fc.integer({ min: 0, max: 50_000 }),
        durationMs: fc.integer({ min: 0, max: 3_000 }),
        idleMs: fc.integer({ min: 0, max: 5_000 }),
      }),
      { minLength: 2, maxLength: 20 },
    ),
  })

  it('is kept over any span from one start to another, by all lanes together, whatever batches do', () => {
    fc.assert(
      fc.property(anyRun, ({ rate, lanes, batches }) => {
        const keeper = new BudgetKeeper()
        keeper.set({ rowsPerSecond: rate })
        const started: { atMs: number; items: number; lane: number }[] = []
        for (let lane = 0; lane < lanes; lane += 1) {
          let nowMs = 0
          for (const { items, durationMs, idleMs } of batches) {
            nowMs += idleMs
            const pause = keeper.beforeBatch(context(nowMs, [], { lanes, lane }))
            nowMs += pause?.ms ?? 0
            expect(pause?.maxItems).toBe(Math.max(1, Math.floor(rate / lanes)))
            started.push({ atMs: nowMs, items, lane })
            nowMs += durationMs
            keeper.afterBatch({ updateName: 'walk', lane, nowMs, items, durationMs, commitMs: 0 })
          }
        }
        for (const from of started) {
          for (const to of started.filter(({ atMs, lane }) => lane === from.lane && atMs > from.atMs)) {
            const within = started.filter(({ atMs, lane }) => lane === from.lane && atMs >= from.atMs && atMs < to.atMs)
            const items = within.reduce((sum, batch) => sum + batch.items, 0)
            expect(items).toBeLessThanOrEqual(((to.atMs - from.atMs) / 1_000) * (rate / lanes) * (1 + 1e-9) + 1e-6)
          }
        }
      }),
    )
  })

  it('does not wait for rows that were not there', () => {
    const keeper = new BudgetKeeper()
    keeper.set({ rowsPerSecond: 1_000 })
    keeper.beforeBatch(context(0, []))
    keeper.afterBatch({ updateName: 'walk', nowMs: 100, items: 100, durationMs: 100, commitMs: 0 })
    expect(keeper.beforeBatch(context(100, []))?.ms).toBe(0)
    keeper.afterBatch({ updateName: 'walk', nowMs: 200, items: 500, durationMs: 100, commitMs: 0 })
    expect(keeper.beforeBatch(context(200, []))).toMatchObject({ ms: 400, reason: 'row budget' })
  })
})

describe('the budget of WAL an hour', () => {
  const anyHour = fc.record({
    bytesPerHour: fc.integer({ min: 1_000_000, max: 100_000_000_000 }),
    perBatch: fc.integer({ min: 0, max: 50_000_000 }),
    others: fc.integer({ min: 0, max: 3_000_000 }),
  })

  it('is kept over any window, but for the minute that may be saved up and what was not read yet', () => {
    fc.assert(
      fc.property(anyHour, ({ bytesPerHour, perBatch, others }) => {
        const keeper = new BudgetKeeper()
        keeper.set({ walBytesPerHour: bytesPerHour })
        const written: { second: number; bytes: number }[] = []
        let bytes = 0
        for (let second = 0; second < 7_200; second += 1) {
          const reading = gauge('wal bytes', 0, { value: bytes, lastReadMs: second * 1_000 })
          const pause = keeper.beforeBatch(context(second * 1_000, [reading]))
          const ours = (pause?.ms ?? 0) === 0 ? perBatch : 0
          bytes += ours + others
          if (ours > 0) written.push({ second, bytes })
          else if (pause !== null && pause.ms > 0) expect(pause.why).toContain('of WAL an hour')
        }
        // From one batch to another: the server wrote no more than that span of the budget, a minute and one batch.
        const first = written[0]
        const last = written.at(-1)
        if (first === undefined || last === undefined || others * 3_600 > bytesPerHour) return
        const span = last.second - first.second
        const allowed = ((span + 60) / 3_600) * bytesPerHour + 2 * (perBatch + others)
        expect(last.bytes - first.bytes).toBeLessThanOrEqual(allowed * (1 + 1e-9))
      }),
      { numRuns: 30 },
    )
  })

  it('holds nothing that cannot be measured, and begins anew when the counter does', () => {
    const keeper = new BudgetKeeper()
    keeper.set({ walBytesPerHour: 3_600 })
    expect(keeper.beforeBatch(context(0, []))?.ms).toBe(0)
    const at = (nowMs: number, value: number) =>
      keeper.beforeBatch(context(nowMs, [gauge('wal bytes', 0, { value, lastReadMs: nowMs })]))?.ms
    expect(at(0, 1_000_000)).toBe(0)
    expect(at(1_000, 1_000_060)).toBe(0)
    expect(at(2_000, 1_000_100)).toBeCloseTo(38_000)
    expect(at(40_000, 1_000_100)).toBe(0)
    expect(at(41_000, 5)).toBe(0)
  })
})

describe('a limited pace', () => {
  it('waits for whoever asks for longest, and takes its reason', () => {
    const pace = new LimitedPace(fixedPace({ sleepMs: 200 }), { budgets: { rowsPerSecond: 10 }, windows: [] })
    expect(pace.beforeBatch(context(0, []))).toMatchObject({ ms: 200, why: 'sleeps 200 ms before every batch' })
    pace.afterBatch({ updateName: 'walk', nowMs: 100, items: 5, durationMs: 100, commitMs: 0 })
    expect(pace.beforeBatch(context(100, []))).toMatchObject({ ms: 400, reason: 'row budget', maxItems: 10 })
    expect(pace.beforeBatch(context(400, []))).toMatchObject({ ms: 200 })
  })

  it('looks at WAL only for a budget of it, when the pace looks at nothing', () => {
    expect(new LimitedPace(noPace(), { budgets: {}, windows: [] }).ignoresSignals).toBe(true)
    expect(new LimitedPace(noPace(), { budgets: { walBytesPerHour: 1 }, windows: [] }).ignoresSignals).toBe(false)
  })

  it('is asked again each second of a long hold', () => {
    const pace = new LimitedPace(noPace(), { budgets: {}, windows: 'Mon 08:00-09:00' })
    expect(pace.beforeBatch(context(0, [], { epochMs: Date.UTC(2026, 0, 4) }))).toEqual({
      ms: 1_000,
      again: true,
      reason: 'window',
      why: 'outside of Mon 08:00-09:00 until 2026-01-05T08:00:00.000Z',
    })
  })

  it('forgets what was used up when the figure changes, and only then', () => {
    const pace = new LimitedPace(noPace(), { budgets: { rowsPerSecond: 1 }, windows: [] })
    pace.beforeBatch(context(0, []))
    pace.afterBatch({ updateName: 'walk', nowMs: 0, items: 50, durationMs: 0, commitMs: 0 })
    pace.limit({ budgets: { rowsPerSecond: 1 }, windows: [] })
    expect(pace.beforeBatch(context(0, [])).again).toBe(true)
    pace.limit({ budgets: { rowsPerSecond: 2 }, windows: [] })
    expect(pace.beforeBatch(context(0, [])).ms).toBe(0)
  })
})

it('budgets that are wrong are named', () => {
  expect(budgetProblems(undefined, 'sqlite')).toEqual([])
  expect(budgetProblems({ rowsPerSecond: 5, walBytesPerHour: 5 }, 'postgres')).toEqual([])
  expect(budgetProblems({ rowsPerSec: 5 }, 'postgres').join()).toContain('did you mean "rowsPerSecond"?')
  expect(budgetProblems({ rowsPerSecond: 0 }, 'postgres').join()).toContain('rowsPerSecond must be a number above 0')
  expect(budgetProblems({ walBytesPerHour: 5 }, 'sqlite')).toEqual(['budgets.walBytesPerHour is for PostgreSQL'])
  expect(budgetProblems(5, 'sqlite').join()).toContain('must be an object')
})
