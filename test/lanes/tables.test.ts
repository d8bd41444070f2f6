import { backfill, BackgroundUpdater, deleteRows, rowBackfill, type Database } from 'evenkeel'
import { expect, it } from 'vitest'
import { cutKeys } from '../../src/keyset/cuts.js'
import { planWalk, walkBounds, type WalkPlan } from '../../src/keyset/walk.js'
import { describeTable } from '../../src/databases/catalogue/table.js'
import type { Query } from '../../src/databases/database.js'
import { quarantineOf } from '../../src/queue/quarantine.js'
import { QueueStore } from '../../src/queue/queue-store.js'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import type { PoolClient } from 'pg'
import { until } from '../support/indexes.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { countedTable, expectEachRowOnce, lanesUsed, updaterOn } from './support.js'

const SOMEBODY_WAITS = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
const IDS = 'id BIGINT, value INTEGER'
const change = (options: object = {}) =>
  backfill<never>({ name: 'change', table: 'walked', set: { value: '1' }, lanes: 4, ...options })

async function run(database: TestDatabase, update: ReturnType<typeof change>) {
  const updater = updaterOn(database, { updates: [update] })
  const used = lanesUsed(updater)
  await updater.install()
  await updater.enqueue(update)
  await updater.runToCompletion()
  return { updater, used }
}

describePostgres('tables in lanes', (postgres) => {
  const { version } = postgres
  const many = (rows: number) => `INSERT INTO walked (id) SELECT i FROM generate_series(1, ${rows}) AS i`

  it.each([
    ['no row', 0],
    ['one row', 1],
    ['fewer rows than are worth it', 500],
  ])('walks as one: %s', async (_, rows) => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', many(rows))
    const { updater, used } = await run(database, change())
    expect([...used]).toEqual([undefined])
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', items: rows }])
    if (rows > 0) await expectEachRowOnce(database.pool)
  })

  it('splits a table that was never analysed, by a sample', async () => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', `ALTER TABLE walked SET (autovacuum_enabled = off); ${many(6_000)}`)
    const { used } = await run(database, change())
    expect(used).not.toContain(undefined)
    await expectEachRowOnce(database.pool)
  })

  if (version !== 15 && version !== 18) return

  it('cuts evenly, by the histogram and by a sample', async () => {
    const database = await postgres.freshDatabase()
    const query: Query = (text, values) => database.pool.query(text, values as unknown[]) as never
    await countedTable(
      database.pool,
      IDS,
      'id',
      `ALTER TABLE walked SET (autovacuum_enabled = off);
       INSERT INTO walked (id) SELECT (i::bigint ^ 2)::bigint FROM generate_series(1, 40000) AS i`,
    )
    const plan = planWalk(await describeTable({ query, dialect: 'postgres' }, 'walked'))
    const sampled = await sharesOf(query, plan)
    await database.pool.query('ANALYZE walked')
    const analysed = await sharesOf(query, plan)
    for (const share of analysed) expect(Math.abs(share - 0.25)).toBeLessThan(0.03)
    for (const share of sampled) expect(Math.abs(share - 0.25)).toBeLessThan(0.1)
  })

  it('does not believe a histogram of a table that has grown since', async () => {
    const database = await postgres.freshDatabase()
    const query: Query = (text, values) => database.pool.query(text, values as unknown[]) as never
    await countedTable(
      database.pool,
      IDS,
      'id',
      `ALTER TABLE walked SET (autovacuum_enabled = off); ${many(2_000)}; ANALYZE walked;
       INSERT INTO walked (id) SELECT i FROM generate_series(2001, 40000) AS i`,
    )
    const plan = planWalk(await describeTable({ query, dialect: 'postgres' }, 'walked'))
    for (const share of await sharesOf(query, plan)) expect(Math.abs(share - 0.25)).toBeLessThan(0.1)
  })

  it('verifies as one what lanes have walked', async () => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', `${many(4_000)}; ANALYZE walked`)
    const { updater, used } = await run(database, change({ where: 'id % 10 <> 0', verify: 'value IS NULL' }))
    expect(used).toContain(undefined)
    await expectEachRowOnce(database.pool)
    expect(await updater.history()).toMatchObject([
      { progress: { walked: 4_000, changed: 3_600, verification: { repaired: 400, left: 0 } } },
    ])
  })

  it('follows rows that come behind the end, as one', async () => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', `${many(4_000)}; ANALYZE walked`)
    const update = change({ follow: true })
    const updater = updaterOn(database, { updates: [update] })
    await updater.install()
    await updater.enqueue(update)
    await updater.runNextBatch()
    await database.pool.query('INSERT INTO walked (id) SELECT i FROM generate_series(4001, 4100) AS i')
    await updater.runToCompletion()
    await expectEachRowOnce(database.pool)
  })

  it('deletes in lanes, and keeps a limit by walking as one', async () => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', `${many(4_000)}; ANALYZE walked`)
    const purge = (name: string, maxDeletes: number | 'unlimited', where: string) =>
      deleteRows({ name, table: 'walked', where, maxDeletes }) as never as ReturnType<typeof change>
    const updates = [purge('some', 2_000, 'id % 2 = 0'), purge('all', 'unlimited', 'TRUE')]
    const updater = updaterOn(database, { updates, lanes: 3 })
    await updater.install()
    await updater.enqueue('some')
    const limited = lanesUsed(updater)
    await updater.runToCompletion()
    expect([...limited]).toEqual([undefined])
    limited.clear()
    await database.pool.query('INSERT INTO walked (id) SELECT i FROM generate_series(5001, 8000) AS i; ANALYZE walked')
    await updater.enqueue('all')
    await updater.runToCompletion()
    expect(limited).not.toContain(undefined)
    expect((await database.pool.query('SELECT 1 FROM walked LIMIT 1')).rows).toEqual([])
    expect(() => deleteRows({ name: 'x', table: 'walked', where: 'TRUE', maxDeletes: 5, lanes: 2 })).toThrow(/only one/)
  })

  it('counts with the rows that a lane sets aside those that others are setting aside', async () => {
    const database = await postgres.freshDatabase()
    const updater = updaterOn(database, { updates: [] })
    await updater.install()
    await updater.enqueue('change')
    const adapter = fromPg(database.pool)
    const store = new QueueStore(adapter)
    const setAside = async (tx: PoolClient, key: number) => {
      const quarantine = quarantineOf(store.within(tx), store.tables, 'change', true)
      await quarantine.add([key], 'broken')
      return quarantine.count()
    }
    const { second } = await adapter.transaction(async (first) => {
      await setAside(first, 1)
      const counting = adapter.transaction((tx) => setAside(tx, 2))
      await until(database.pool, SOMEBODY_WAITS)
      return { second: counting }
    })
    expect(await second).toBe(2)
  })

  it('holds maxQuarantined over all lanes', async () => {
    const database = await postgres.freshDatabase()
    await countedTable(database.pool, IDS, 'id', `${many(4_000)}; ANALYZE walked`)
    const rows = (maxQuarantined: number) =>
      rowBackfill<{ id: string }>({
        name: 'change',
        table: 'walked',
        columns: ['id'],
        maxQuarantined,
        maxBatchSize: 100,
        map: ({ id }) => {
          if (Number(id) % 500 === 0) throw new Error(`row ${id}`)
          return { value: 1 }
        },
      }) as never as ReturnType<typeof change>
    const updater = updaterOn(database, { updates: [rows(5)], lanes: 4 })
    await updater.install()
    await updater.enqueue('change')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    const kept = await database.pool.query('SELECT count(*)::int AS n FROM background_update_quarantine')
    expect((kept.rows[0] as { n: number }).n).toBeLessThanOrEqual(5)
    const patient = updaterOn(database, { updates: [rows(8)], lanes: 4 })
    await patient.retry('change', { acceptChanges: true })
    await patient.runToCompletion()
    const after = await database.pool.query('SELECT count(*)::int AS n FROM background_update_quarantine')
    expect(after.rows).toEqual([{ n: 8 }])
    const { rows: done } = await database.pool.query(
      'SELECT done, count(*)::int AS n FROM walked GROUP BY done ORDER BY done',
    )
    expect(done).toEqual([
      { done: 0, n: 8 },
      { done: 1, n: 3_992 },
    ])
  })
})

async function sharesOf(query: Query, plan: WalkPlan): Promise<number[]> {
  const bounds = await walkBounds(query, plan)
  if (bounds === null) throw new Error('the table is empty')
  const cuts = await cutKeys(query, plan, { ...bounds, lower: null }, 4)
  expect(cuts).toHaveLength(3)
  const { rows } = await query<{ n: number }>(
    `SELECT count(*)::int AS n
     FROM walked
     GROUP BY width_bucket(id, $1::bigint[])
     ORDER BY width_bucket(id, $1::bigint[])`,
    [cuts.map(([cut]) => Number(cut) + 1)],
  )
  const whole = rows.reduce((sum, { n }) => sum + n, 0)
  return rows.map(({ n }) => n / whole)
}

it('SQLite has one lane, and says so', async () => {
  const database = fromBetterSqlite3(':memory:') as unknown as Database<never>
  expect(() => new BackgroundUpdater<never>({ database, lanes: 2 })).toThrow(/lanes must be 1.*one writer/)
  expect(() => new BackgroundUpdater<never>({ database, updates: [change()] })).toThrow(
    /"change" has lanes: 4.*one writer/,
  )
  expect(
    () => new BackgroundUpdater<never>({ database, updates: [change({ on: 'postgres' })], lanes: 1 }),
  ).not.toThrow()
  await database.close()
})
