import { backfill, BackgroundUpdater, noPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { fakeClock } from 'evenkeel/testing'
import { expect, it, onTestFinished } from 'vitest'
import { batchesOf } from '../support/walks.js'
import { describePostgres } from '../support/postgres.js'

const WAYS = [
  // The bound that is asked for ahead fails: there is no operator text > uuid.
  { key: 'uuid', value: 'md5(i::text)::uuid', to: 'text COLLATE "C"', order: ['text COLLATE pg_catalog."C"'] },
  // It fails as a prepared statement alone: 0A000, the cached plan must not change its result type.
  {
    key: 'text COLLATE "POSIX"',
    value: `to_char(i, 'FM000')`,
    to: 'text COLLATE "C"',
    order: ['text COLLATE pg_catalog."C"'],
  },
]

describePostgres('a change of the key in a process that walks', (postgres) => {
  const begun = async (key: string, value: string) => {
    const { pool, openPool } = await freshTable(key, value)
    const updater = new BackgroundUpdater<never>({
      database: fromPg(openPool()) as never,
      updates: [backfill({ name: 'fill', table: 't', set: { n: 'n + 1' } })],
      tuner: batchesOf(10),
      pace: noPace(),
      signals: false,
      clock: fakeClock({ autoAdvance: true }),
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue('fill')
    for (let batch = 0; batch < 3; batch += 1) await updater.runNextBatch()
    return { pool, updater }
  }

  const freshTable = async (key: string, value: string) => {
    const database = await postgres.freshDatabase()
    await database.pool.query(`
      CREATE TABLE t (id ${key} PRIMARY KEY, n int NOT NULL DEFAULT 0);
      INSERT INTO t SELECT ${value} FROM generate_series(1, 100) AS i`)
    return { pool: database.pool, openPool: () => database.openPool({ max: 2 }) }
  }

  it.each(WAYS)('is told for what it is, and retry goes on: $key to $to', async ({ key, value, to, order }) => {
    const { pool, updater } = await begun(key, value)
    await pool.query(`ALTER TABLE t ALTER COLUMN id TYPE ${to}`)
    await expect(updater.runToCompletion()).rejects.toThrow(/is now to walk over public\.t by \(id text COLLATE/)
    // As the error says, where the keys stand in the same order as before.
    await pool.query(
      `UPDATE background_updates
       SET progress_json = jsonb_set(progress_json::jsonb, '{over,order}', $1::jsonb)::text`,
      [JSON.stringify(order)],
    )
    await updater.retry('fill')
    await updater.runToCompletion()
    expect((await pool.query('SELECT n, count(*)::int AS rows FROM t GROUP BY n')).rows).toEqual([{ n: 1, rows: 100 }])
  })

  it('is gone on with anew by the same process', async () => {
    const { pool, updater } = await begun('int', 'i')
    await pool.query('ALTER TABLE t ALTER COLUMN id TYPE text')
    await expect(updater.runToCompletion()).rejects.toThrow(/by \(id int4\), and is now to walk over .* by \(id text\)/)
    await updater.cancel('fill')
    await updater.enqueue('fill')
    await updater.runToCompletion()
    expect((await pool.query('SELECT n, count(*)::int AS rows FROM t GROUP BY n ORDER BY n')).rows).toEqual([
      { n: 1, rows: 70 },
      { n: 2, rows: 30 },
    ])
  })
})
