import { backfill, type UpdaterEvents } from 'evenkeel'
import { expect, it, vi } from 'vitest'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { countedTable, expectEachRowOnce, lanesInTable, lanesUsed, updaterOn, type LaneOfTable } from './support.js'

const IDS = 'id BIGINT, value INTEGER'
const change = (options: object = {}) =>
  backfill<never>({ name: 'change', table: 'walked', set: { value: '1' }, ...options })
const small = { defaultBatchSize: 40, maxBatchSize: 40 }
/** So many rows that nobody comes too late for them on a machine that is busy. */
const MANY = 30_000

async function tableOf(database: TestDatabase, rows: number): Promise<void> {
  await countedTable(
    database.pool,
    IDS,
    'id',
    `INSERT INTO walked (id) SELECT i FROM generate_series(1, ${rows}) AS i; ANALYZE walked`,
  )
}

function batches(updater: ReturnType<typeof updaterOn>, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    updater.on('batch:success', () => {
      seen += 1
      if (seen === count) resolve()
    })
  })
}

const itemsOf = (lanes: readonly LaneOfTable[]) => lanes.reduce((sum, { items }) => sum + items, 0)

describePostgres('lanes under way', (postgres) => {
  const { version } = postgres
  it('are shared by processes with other lanes, and end together', async () => {
    const database = await postgres.freshDatabase()
    // So many that nobody can come too late for a share on a machine that is busy.
    await tableOf(database, 30_000)
    const updaters = [3, 1, 2].map((lanes) => updaterOn(database, { updates: [change(small)], lanes }))
    const used = updaters.map((updater) => lanesUsed(updater))
    await updaters[0]?.install()
    await updaters[0]?.enqueue('change')
    await updaters[0]?.runNextBatch()
    await Promise.all(updaters.map((updater) => updater.start()))
    await Promise.all(updaters.map((updater) => updater.waitFor('change', { timeoutMs: 60_000 })))
    await expectEachRowOnce(database.pool)
    // Those that found no free lane have divided what was left of others.
    expect(used.every((lanes) => lanes.size > 0)).toBe(true)
    expect(await updaters[1]?.history()).toMatchObject([{ items: 30_000, failures: 0, progress: { walked: 30_000 } }])
  })

  it('are taken over when their holder vanishes with its connections', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, MANY)
    const lost = updaterOn(database, { updates: [change(small)], lanes: 3, leaseMs: 400 })
    await lost.install()
    await lost.enqueue('change')
    const some = batches(lost, 10)
    await lost.start()
    await some
    await database.pool.query(
      `SELECT pg_terminate_backend(pid)
       FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    void lost.stop({ graceMs: 0 })
    // As a process that was killed leaves them.
    await database.pool.query(
      "UPDATE background_update_lanes SET lease_token = 'dead', lease_owner = 'dead' WHERE NOT finished",
    )
    const heir = updaterOn(database, { updates: [change(small)], lanes: 2 })
    await heir.runToCompletion()
    await expectEachRowOnce(database.pool)
    expect(await heir.history()).toMatchObject([{ items: MANY }])
  })

  it('are gone on with when connections are lost, without waiting for their own leases to run out', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, MANY)
    const updater = updaterOn(database, { updates: [change(small)], lanes: 2, leaseMs: 3_600_000 })
    await updater.install()
    await updater.enqueue('change')
    await updater.start()
    for (let times = 0; times < 3; times += 1) {
      await batches(updater, 6)
      await database.pool.query(
        `SELECT pg_terminate_backend(pid)
         FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      )
    }
    await updater.waitFor('change', { timeoutMs: 50_000 })
    await expectEachRowOnce(database.pool)
  })

  if (version !== 15 && version !== 18) return

  it('stop at pause and disable in every process, and go on from where they were', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, MANY)
    const updaters = [
      updaterOn(database, { updates: [change(small)], lanes: 2 }),
      updaterOn(database, { updates: [change(small)], lanes: 2 }),
    ]
    const [one, other] = updaters as [(typeof updaters)[0], (typeof updaters)[0]]
    await one.install()
    await one.enqueue('change')
    const some = batches(one, 6)
    await Promise.all(updaters.map((updater) => updater.start()))
    await some
    await other.pause('change', { by: 'me' })
    await vi.waitFor(
      async () => expect((await lanesInTable(database.pool)).every(({ owner }) => owner === null)).toBe(true),
      { timeout: 20_000 },
    )
    const before = await lanesInTable(database.pool)
    expect(before.length).toBeGreaterThanOrEqual(2)
    expect((await one.databaseStatus()).updates).toMatchObject([{ state: 'paused', owner: null }])
    await one.disable({ by: 'me' })
    await one.resume('change')
    expect((await one.runNextBatch()).ran).toBeNull()
    // Who looked at the queue before the pause may still divide a lane, or take one and find that he mustn't work.
    expect(itemsOf(await lanesInTable(database.pool))).toBe(itemsOf(before))
    await other.enable()
    await Promise.all(updaters.map((updater) => updater.waitFor('change', { timeoutMs: 60_000 })))
    await expectEachRowOnce(database.pool)
  })

  it('are rolled back and gone when the update is cancelled; loops of cancels do not deadlock', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, MANY)
    const updaters = [
      updaterOn(database, { updates: [change(small)], lanes: 3 }),
      updaterOn(database, { updates: [change(small)], lanes: 3 }),
    ]
    const [one, other] = updaters as [(typeof updaters)[0], (typeof updaters)[0]]
    const failures: UpdaterEvents['batch:failure'][] = []
    for (const updater of updaters) updater.on('batch:failure', (failure) => failures.push(failure))
    await one.install()
    await Promise.all(updaters.map((updater) => updater.start()))
    for (let round = 0; round < 6; round += 1) {
      const some = Promise.race(updaters.map((updater) => batches(updater, 4)))
      await one.enqueue('change')
      await some
      await other.cancel('change')
      expect(await lanesInTable(database.pool)).toEqual([])
    }
    expect(failures).toEqual([])
  })

  it('count failures for each lane, go on in the others, fail together, and retry', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, 4_000)
    const updater = updaterOn(database, {
      updates: [
        change({ ...small, set: { value: '1 / CASE WHEN id = 3500 THEN (SELECT factor FROM trap) ELSE 1 END' } }),
      ],
      lanes: 2,
      maxAttempts: 2,
    })
    await database.pool.query('CREATE TABLE trap AS SELECT 0 AS factor')
    await updater.install()
    await updater.enqueue('change')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    const [failed] = (await updater.databaseStatus()).updates
    expect(failed).toMatchObject({ state: 'failed', lastError: 'division by zero' })
    // At least: a lane that was divided meanwhile begins to count anew.
    expect(failed?.failures).toBeGreaterThanOrEqual(2)
    // The batches of other lanes were committed meanwhile.
    expect(failed?.items).toBeGreaterThan(0)
    await database.pool.query('UPDATE trap SET factor = 1')
    await updater.retry('change')
    await updater.runToCompletion()
    await expectEachRowOnce(database.pool)
  })

  it('are as many as the live setting says, from its next look on', async () => {
    const database = await postgres.freshDatabase()
    // So many that the next look comes before the end.
    await tableOf(database, 30_000)
    const updater = updaterOn(database, {
      updates: [change({ defaultBatchSize: 10, maxBatchSize: 10 })],
      lanes: 3,
    })
    const owners = async () =>
      (await lanesInTable(database.pool)).filter(({ finished, owner }) => !finished && owner !== null)
    await updater.install()
    await updater.enqueue('change')
    await updater.start()
    await vi.waitFor(async () => expect(await owners()).toHaveLength(3), { timeout: 20_000 })
    await updater.set({ lanes: 1 }, { update: 'change' })
    await vi.waitFor(async () => expect(await owners()).toHaveLength(1), { timeout: 20_000 })
    await updater.set({ lanes: null }, { update: 'change' })
    await updater.waitFor('change', { timeoutMs: 120_000 })
    await expectEachRowOnce(database.pool)
    await updater.set({ lanes: 1 })
    const used = lanesUsed(updater)
    await database.pool.query('DELETE FROM walked WHERE id > 1000; UPDATE walked SET done = 0; ANALYZE walked')
    await updater.enqueue('change')
    await updater.waitFor('change', { timeoutMs: 120_000 })
    expect([...used]).toEqual([undefined])
  })

  it('add up in the status while they run', async () => {
    const database = await postgres.freshDatabase()
    await tableOf(database, 4_000)
    const updater = updaterOn(database, { updates: [change(small)], lanes: 2 })
    await updater.install()
    await updater.enqueue('change')
    for (let batch = 0; batch < 30; batch += 1) await updater.runNextBatch()
    const [status] = (await updater.databaseStatus()).updates
    expect(status?.items).toBe(1_200)
    expect(status?.fraction).toBeCloseTo(0.3, 2)
    expect(status?.lanes).toMatchObject([
      { lane: 1, items: 1_200 },
      { lane: 2, state: 'waiting', fraction: 0 },
    ])
    await updater.runToCompletion()
    await expectEachRowOnce(database.pool)
  })
})
