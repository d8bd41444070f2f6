import { emaTuner, fixedPace, guardedTuner, noPace, type UpdaterOptions } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, next, uninstalled, update } from './support.js'

describeDatabases('batch sizes and pauses under a fake clock', ({ fresh, dialect }) => {
  /** Runs an update to its end by start(): the batch sizes asked for, and all sleeps. */
  async function sequence(
    options: Omit<UpdaterOptions<never>, 'database'>,
    costs: readonly { items: number; ms: number }[],
  ): Promise<{ sizes: number[]; sleeps: number[] }> {
    const clock = jumpingClock()
    const sizes: number[] = []
    const walk = update('walk', async ({ batchSize }) => {
      const cost = costs[sizes.length]
      sizes.push(batchSize)
      if (cost === undefined) return { items: 0, done: true }
      clock.pass(cost.ms)
      return { items: cost.items, progress: { batch: sizes.length } }
    })
    const updater = await installed(await fresh(), {
      tuner: emaTuner(),
      targetMs: 100,
      ...options,
      updates: [walk],
      clock,
    })
    await updater.enqueue(walk)
    const complete = next(updater, 'update:complete')
    await updater.start()
    await complete
    await updater.stop()
    return { sizes, sleeps: clock.sleeps }
  }

  it.each([
    { name: 'target 100', options: {}, items: 100, ms: 1000, expected: [100, 10] },
    { name: 'target 500', options: { targetMs: 500 }, items: 100, ms: 1000, expected: [100, 50] },
    { name: 'minimum 5', options: { minBatchSize: 5 }, items: 100, ms: 5000, expected: [100, 5] },
    { name: 'first size 20', options: { defaultBatchSize: 20 }, items: 20, ms: 200, expected: [20, 10] },
    { name: 'maximum 30', options: { maxBatchSize: 30 }, items: 30, ms: 1, expected: [30, 30] },
  ])('$name', async ({ options, items, ms, expected }) => {
    const { sizes } = await sequence(options, [{ items, ms }])
    expect(sizes).toEqual(expected)
  })

  it.each([
    { says: NaN, expected: 5 },
    { says: Infinity, expected: 30 },
    { says: -Infinity, expected: 5 },
    { says: 7.9, expected: 7 },
    { says: 1e300, expected: 30 },
    { says: undefined as never, expected: 5 },
  ])('a tuner that says $says gets $expected', async ({ says, expected }) => {
    const tuner = () => ({ next: () => says, record: () => {}, snapshot: () => null, explain: () => [] })
    const { sizes } = await sequence({ tuner, minBatchSize: 5, maxBatchSize: 30 }, [{ items: 1, ms: 1 }])
    expect(sizes).toEqual([expected, expected])
  })

  it.each([NaN, -1, 'many' as never])('a pace that allows %s items is held to the bounds', async (maxItems) => {
    const pace = { beforeBatch: () => ({ ms: 0, why: 'mine', maxItems }) }
    const { sizes } = await sequence({ pace, minBatchSize: 5, maxBatchSize: 30 }, [{ items: 30, ms: 1 }])
    expect(sizes.every((size) => Number.isSafeInteger(size) && size >= 5 && size <= 30)).toBe(true)
  })

  it('sleeps where the pace says so and nowhere else', async () => {
    const costs = [
      { items: 100, ms: 100 },
      { items: 100, ms: 100 },
    ]
    expect((await sequence({ pace: fixedPace() }, costs)).sleeps).toEqual([1000, 1000, 1000])
    expect((await sequence({ pace: fixedPace({ sleepMs: 500 }) }, costs)).sleeps).toEqual([500, 500, 500])
    expect((await sequence({ pace: noPace() }, costs)).sleeps).toEqual([])
    // The default on an idle database; SQLite's other writers need a gap.
    expect((await sequence({}, costs)).sleeps).toEqual(dialect === 'sqlite' ? [1, 1] : [])
    expect((await sequence({ pace: fixedPace({ sleepMs: 0 }) }, costs)).sleeps).toEqual([])
  })

  it('goes on with the average of 10 / 190 items per ms in a new updater on the same database', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    const sizes: number[] = []
    const items = [100, 10]
    const walk = update('walk', async ({ batchSize }) => {
      sizes.push(batchSize)
      clock.pass(1000)
      return { items: items[sizes.length - 1] ?? 1, progress: { batch: sizes.length } }
    })
    const options = { tuner: emaTuner(), targetMs: 100, updates: [walk], clock }
    const first = await installed(database, options)
    await first.enqueue(walk)
    await first.runNextBatch()
    expect((await first.performance('walk'))?.averageItemsPerMs).toBe(0.1)
    await first.stop()
    const second = uninstalled({ database: database.another() }, options)
    await second.runNextBatch()
    expect(await second.performance('walk')).toMatchObject({
      averageItemsPerMs: 0.05263157894736842,
      totalItems: 110,
      totalDurationMs: 2000,
      totalItemsPerMs: 0.055,
      batches: 2,
      failures: 0,
    })
    await second.stop()
    const third = uninstalled({ database: database.another() }, options)
    await third.runNextBatch()
    // 100 ms × 10 / 190
    expect(sizes).toEqual([100, 10, 5])
  })

  it.each([
    ['emaTuner', emaTuner()],
    ['guardedTuner', guardedTuner()],
  ])('%s: batches of 0 ms do not collapse the size', async (_name, tuner) => {
    const { sizes } = await sequence(
      { tuner, pace: noPace() },
      Array.from({ length: 30 }, () => ({ items: 100, ms: 0 })),
    )
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(100)
  })

  it('runToCompletion never pauses', async () => {
    const clock = jumpingClock()
    let batches = 0
    const walk = update('walk', async () => ({ items: 1, progress: { batches: ++batches }, done: batches === 3 }))
    const updater = await installed(await fresh(), { updates: [walk], clock, pace: fixedPace({ sleepMs: 500 }) })
    await updater.enqueue(walk)
    expect(await updater.runToCompletion()).toMatchObject({ completed: ['walk'], batches: 3, items: 3 })
    expect(clock.sleeps).toEqual([])
  })
})
