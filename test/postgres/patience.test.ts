import { backfill, BackgroundUpdater, defineUpdate, noPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it, onTestFinished } from 'vitest'
import { jumpingClock, memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('patience with others', (postgres) => {
  it('a row that somebody holds for long doesn’t fail an update, and is said on its row', async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, value int); INSERT INTO t SELECT generate_series(1, 50)')
    const fill = backfill({ name: 'fill', table: 't', set: { value: '1' }, lockTimeoutMs: 10 })
    const updater = new BackgroundUpdater({
      database: fromPg(pool),
      updates: [fill],
      clock: jumpingClock(),
      pace: noPace(),
      logger: memoryLogger(),
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(fill)
    const holder = await database.openClient()
    await holder.query('BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE')
    const sizes: number[] = []
    updater.on('batch:start', ({ batchSize }) => sizes.push(batchSize))
    updater.on('batch:failure', () => {
      if (sizes.length === 12) void holder.query('ROLLBACK')
    })
    await updater.runToCompletion()
    expect(sizes.slice(0, 7)).toEqual([100, 50, 25, 12, 6, 3, 1])
    expect((await pool.query('SELECT FROM t WHERE value IS NULL')).rowCount).toBe(0)
    const [entry] = await updater.history()
    expect(entry?.failures).toBeGreaterThanOrEqual(12)
  })

  it.each([
    [3, 0],
    [7, 1],
  ])('%i serialization errors in a row are %i failures: the batch is run again at once', async (errors, failures) => {
    const { pool } = await postgres.freshDatabase()
    let calls = 0
    const counted = defineUpdate<unknown, { calls: number }>({
      name: 'counted',
      async batch({ query, progress }) {
        calls += 1
        expect(progress).toEqual({})
        if (calls <= errors) await query(`DO $$ BEGIN RAISE EXCEPTION 'order' USING ERRCODE = '40001'; END $$`)
        return { items: 1, progress: { calls }, done: true }
      },
    })
    const updater = new BackgroundUpdater({
      database: fromPg(pool),
      updates: [counted] as never,
      clock: jumpingClock(),
      logger: memoryLogger(),
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue('counted')
    await updater.runToCompletion()
    expect(calls).toBe(errors + 1)
    expect(await updater.history()).toMatchObject([{ batches: 1, failures, progress: { calls: errors + 1 } }])
  })
})
