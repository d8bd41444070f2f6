import { backfill, BackgroundUpdater, defineUpdate, fixedPace, noPace, type UpdaterOptions } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

// Each of these would wait for the test's own lock, which goes only after the stop.
describePostgres('a stop ends although somebody holds what we wait for', (postgres) => {
  const setUp = async (options: Partial<UpdaterOptions<never>>) => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await pool.query('CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t SELECT generate_series(1, 20000)')
    await pool.query('ANALYZE t')
    const updater = new BackgroundUpdater({
      database: fromPg(pool) as never,
      logger: memoryLogger(),
      ...options,
    })
    const holder = await database.openClient()
    onTestFinished(async () => {
      await holder.query('ROLLBACK')
      await updater.stop()
    })
    await updater.install()
    for (const each of options.updates ?? []) await updater.enqueue(each)
    const somebodyWaits = async () => {
      const waiting = 'SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()'
      while ((await holder.query(waiting)).rowCount === 0) await delay(10)
    }
    return { updater, holder, somebodyWaits, pool }
  }
  const fill = (lanes?: number) =>
    backfill<never>({ name: 'fill', table: 't', set: { x: '1' }, ...(lanes === undefined ? {} : { lanes }) })

  it.each([
    ['the table before the first batch', undefined],
    ['the table before it is split into lanes', 2],
  ])('%s: what waits has the limits of a batch', async (_, lanes) => {
    const { updater, holder, somebodyWaits, pool } = await setUp({ updates: [fill(lanes)], pace: noPace() })
    await holder.query('BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE')
    await updater.start()
    await somebodyWaits()
    await updater.stop({ graceMs: 1 })
    const { rows } = await pool.query('SELECT state, attempts, lease_owner FROM background_updates')
    expect(rows).toEqual([{ state: 'queued', attempts: expect.any(Number) as number, lease_owner: null }])
  })

  it('the row of the queue, in which the reason for a pause is told', async () => {
    const { updater, holder, somebodyWaits } = await setUp({
      updates: [fill()],
      pace: fixedPace({ sleepMs: 60_000 }),
    })
    await holder.query('BEGIN; SELECT FROM background_updates FOR UPDATE')
    await updater.start()
    await somebodyWaits()
    await updater.stop({ graceMs: 1 })
  })

  it('the row of the queue, when a one-shot is done', async () => {
    const oneShot = defineUpdate<never>({
      name: 'once',
      oneShot: true,
      run: async () => {
        await holder.query('BEGIN; SELECT FROM background_updates FOR UPDATE')
      },
    })
    const { updater, holder, somebodyWaits } = await setUp({ updates: [oneShot], pace: noPace() })
    await updater.start()
    await somebodyWaits()
    await updater.stop({ graceMs: 1 })
  })
})
