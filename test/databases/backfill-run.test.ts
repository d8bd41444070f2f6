import { backfill, BackgroundUpdater, type BackfillRun } from 'evenkeel'
import type { BetterSqlite3Database } from 'evenkeel/better-sqlite3'
import type { PgClient } from 'evenkeel/pg'
import { expect, it, onTestFinished } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'

type Run = (batch: BackfillRun<never>) => unknown

/** Runs the update in batches of 50 and tells how many rows it says it changed. */
async function changedBy({ database }: EitherDatabase, run: Run): Promise<unknown> {
  const update = backfill<never>({
    name: 'fill',
    table: 't',
    where: 'x < 2',
    run,
    defaultBatchSize: 50,
    maxBatchSize: 50,
  })
  const updater = new BackgroundUpdater<never>({ database, updates: [update] })
  onTestFinished(() => updater.stop())
  await updater.install()
  await updater.enqueue(update)
  await updater.runToCompletion()
  return (await updater.history())[0]?.progress.changed
}

const NUMBERS = 'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 120)'

async function tableOf(db: EitherDatabase, key: string, values: string): Promise<void> {
  await db.query(`CREATE TABLE t (id ${key} PRIMARY KEY, x INTEGER DEFAULT 0)`)
  await db.query(`INSERT INTO t (id) ${NUMBERS} SELECT ${values} FROM n`)
}

async function raisedOnce(db: EitherDatabase): Promise<number> {
  const { rows } = await db.query<{ n: unknown }>('SELECT count(*) AS n FROM t WHERE x = 1')
  return Number(rows[0]?.n)
}

describeDatabases('backfill run', (context) => {
  /** A statement with the driver's own means, as somebody would who knows nothing of `sql`. */
  const byDriver = (tx: never, text: string): unknown =>
    context.dialect === 'postgres' ? (tx as PgClient).query(text) : (tx as BetterSqlite3Database).prepare(text).run()

  const raise = 'UPDATE t SET x = x + 1 WHERE'
  const ways: Readonly<Record<string, Run>> = {
    'as a function': ({ sql, range }) => sql(`${raise} ${range.sql}`),
    'as a function, with own values': ({ sql, range }) => sql(`UPDATE t SET x = x + $1 WHERE ${range.sql}`, [1]),
    'as a tag': ({ sql, range }) => sql`UPDATE t SET x = x + 1 WHERE ${range.sql}`,
    'as a tag, with own values': ({ sql, range }) => sql`UPDATE t SET x = x + ${1} WHERE ${range.sql} AND x < ${2}`,
    'as a tag, qualified': ({ sql, range }) =>
      sql`UPDATE t SET x = x + 1 WHERE EXISTS (SELECT 1 FROM t AS o WHERE o.id = t.id AND ${range.qualified('o')})`,
    'through the driver': ({ tx, range }) => byDriver(tx, `${raise} ${range.sql}`),
    'as a returned statement': ({ range }) => `${raise} ${range.sql}`,
    'with a count of its own': async ({ sql, range }) => {
      await sql(`${raise} ${range.sql}`)
      return range.rows
    },
  }
  for (const [way, run] of Object.entries(ways)) {
    it(`changes each row once: ${way}`, async () => {
      const db = await context.fresh()
      await tableOf(db, 'INTEGER', 'i * 3')
      expect(await changedBy(db, run)).toBe(120)
      expect(await raisedOnce(db)).toBe(120)
    })
  }

  const keys: Readonly<Record<string, string>> =
    context.dialect === 'postgres'
      ? {
          bigint: '9007199254740992 + i',
          numeric: '12345678901234567890.123456789 + i / 7.0',
          uuid: 'md5(i::text)::uuid',
          timestamptz: `'2020-01-01'::timestamptz + i * interval '1 microsecond'`,
          text: String.raw`'k''\n\' || chr(32 + i % 90) || i`,
          bytea: 'sha256(i::text::bytea)',
          float8: 'i / 3.0',
        }
      : {
          INTEGER: '-9223372036854775807 - 1 + (i - 1)',
          'INTEGER NOT NULL': '9007199254740992 + i',
          'TEXT NOT NULL': `'k''' || i || char(0) || i`,
          'BLOB NOT NULL': `CAST('b' || i AS BLOB)`,
          'REAL NOT NULL': 'CASE i WHEN 120 THEN 9e999 ELSE i / 3.0 + 0.1 END',
          'ANY NOT NULL': `CASE i % 4 WHEN 0 THEN i WHEN 1 THEN i + 0.25 WHEN 2 THEN 't' || i || char(0) ELSE CAST('b' || i AS BLOB) END`,
        }
  for (const [type, values] of Object.entries(keys)) {
    it(`writes the bounds of a key as exact literals: ${type}`, async () => {
      const db = await context.fresh()
      await tableOf(db, type, values)
      await changedBy(db, ({ tx, range }) => byDriver(tx, `${raise} ${range.sql}`))
      expect(await raisedOnce(db)).toBe(120)
    })
  }
})
