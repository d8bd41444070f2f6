import { addConstraint, BackgroundUpdater, check, createIndex, setNotNull, unique, validateConstraint } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import type pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { until } from '../support/indexes.js'
import { describePostgres } from '../support/postgres.js'

/** Changes of the schema that need a lock which no reader can share. */
const CHANGES: readonly (readonly [name: string, change: (pool: pg.Pool) => Promise<unknown>])[] = [
  [
    'addConstraint',
    (pool) =>
      addConstraint(fromPg(pool), {
        constraintName: 'positive',
        table: 't',
        constraint: check('value > 0'),
        update: 'validate',
      }),
  ],
  ['setNotNull', (pool) => runOne(pool, setNotNull({ name: 'required', table: 't', column: 'value' }) as never)],
  [
    'a unique constraint from its index',
    (pool) =>
      runOne(
        pool,
        validateConstraint({
          name: 'once',
          table: 't',
          constraintName: 't_value_key',
          constraint: unique(['value']),
        }) as never,
      ),
  ],
]

async function runOne(pool: pg.Pool, update: never): Promise<void> {
  const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update], logger: memoryLogger() })
  onTestFinished(() => updater.stop())
  await updater.enqueue(update)
  await updater.runToCompletion()
}

const WAITING = (mode: 'AccessExclusiveLock' | 'ShareLock', relation = 't') => `
  SELECT FROM pg_locks
  WHERE relation = '${relation}'::regclass AND mode = '${mode}' AND NOT granted`

describePostgres('a change of the schema behind an old reader', (postgres) => {
  it.each(CHANGES)('holds up no reader for longer than a try: %s', async (_, change) => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await new BackgroundUpdater({ database: fromPg(pool), updates: [] }).install()
    await pool.query(
      'CREATE TABLE t (id int PRIMARY KEY, value int); INSERT INTO t SELECT n, n FROM generate_series(1, 9) AS n',
    )
    const reader = await database.openClient()
    await reader.query('BEGIN; SELECT FROM t LIMIT 1')

    let changed = false
    const changing = change(pool).then(() => {
      changed = true
    })
    // The old reader stays for as long as this goes on: without a limit on the lock, the second query would wait for ever.
    for (let tries = 0; tries < 2; tries += 1) {
      await until(pool, WAITING('AccessExclusiveLock'))
      expect((await pool.query('SELECT count(*)::int AS n FROM t')).rows).toEqual([{ n: 9 }])
      expect(changed).toBe(false)
    }
    await reader.query('COMMIT')
    await changing
  })

  it('holds up no writer for longer than a try: an index of a partitioned table', async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await new BackgroundUpdater({ database: fromPg(pool), updates: [] }).install()
    await pool.query('CREATE TABLE t (id int) PARTITION BY RANGE (id); CREATE TABLE t_1 PARTITION OF t DEFAULT')
    const writer = await database.openClient()
    await writer.query('BEGIN; INSERT INTO t VALUES (1)')
    const index = createIndex({ name: 'index', index: 't_id_idx', table: 't', columns: ['id'] })
    const building = runOne(pool, index as never)
    for (let tries = 0; tries < 2; tries += 1) {
      await until(pool, WAITING('ShareLock'))
      await pool.query('INSERT INTO t VALUES (2)')
      expect((await pool.query("SELECT to_regclass('t_id_idx') AS index")).rows).toEqual([{ index: null }])
    }
    await writer.query('COMMIT')
    await building
    expect((await pool.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id_idx'::regclass")).rows).toEqual([
      { indisvalid: true },
    ])
  })

  it('holds up no reader for longer than a try: an index that a partition has already', async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await new BackgroundUpdater({ database: fromPg(pool), updates: [] }).install()
    await pool.query(`
      CREATE TABLE t (id int) PARTITION BY RANGE (id);
      CREATE TABLE t_1 PARTITION OF t DEFAULT;
      CREATE INDEX t_1_idx ON t_1 (id)`)
    const reader = await database.openClient()
    await reader.query('BEGIN; SELECT FROM t_1 LIMIT 1')
    const index = createIndex({ name: 'index', index: 't_id_idx', table: 't', columns: ['id'] })
    const building = runOne(pool, index as never)
    for (let tries = 0; tries < 2; tries += 1) {
      await until(pool, WAITING('AccessExclusiveLock', 't_1_idx'))
      expect((await pool.query('SELECT count(*)::int AS n FROM t_1')).rows).toEqual([{ n: 0 }])
    }
    await reader.query('COMMIT')
    await building
    expect((await pool.query("SELECT 1 FROM pg_inherits WHERE inhrelid = 't_1_idx'::regclass")).rowCount).toBe(1)
  })
})
