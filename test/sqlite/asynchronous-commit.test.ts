import BetterSqlite3 from 'better-sqlite3'
import { BackgroundUpdater, backfill } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it } from 'vitest'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { batchesOf } from '../support/walks.js'

/** The levels of `PRAGMA synchronous` at which a walk of four batches was committed, and how often it waited once more. */
async function commitsOf(asynchronousCommit: boolean): Promise<{ levels: unknown[]; touched: number }> {
  const handle = new BetterSqlite3(temporaryDatabaseFile())
  handle.pragma('journal_mode = WAL')
  handle.pragma('synchronous = FULL')
  handle.exec('CREATE TABLE items (id INTEGER PRIMARY KEY, value INTEGER)')
  for (let id = 1; id <= 10; id += 1) handle.prepare('INSERT INTO items (id) VALUES (?)').run(id)
  const levels: unknown[] = []
  let touched = 0
  const prepare = handle.prepare.bind(handle)
  handle.prepare = ((sql: string) => {
    const statement = prepare(sql)
    if (!sql.startsWith('PRAGMA user_version =')) return statement
    const run = statement.run.bind(statement)
    return Object.assign(statement, { run: (...values: unknown[]) => (touched += 1) && run(...values) })
  }) as typeof handle.prepare
  const walk = backfill<BetterSqlite3.Database>({
    name: 'walk',
    table: 'items',
    run: async ({ sql, range }) => {
      levels.push(handle.pragma('synchronous', { simple: true }))
      await sql(`UPDATE items SET value = 1 WHERE ${range.sql}`)
    },
  })
  const updater = new BackgroundUpdater({
    database: fromBetterSqlite3(handle),
    updates: [walk],
    tuner: batchesOf(3),
    asynchronousCommit,
  })
  await updater.install()
  await updater.enqueue(walk)
  await updater.runToCompletion()
  expect(handle.pragma('synchronous', { simple: true })).toBe(2)
  handle.close()
  return { levels, touched }
}

it('waits for the disk at the end of an update alone', async () => {
  expect(await commitsOf(true)).toEqual({ levels: [1, 1, 1, 1], touched: 1 })
})

it('waits for it with every batch when it is told to', async () => {
  expect(await commitsOf(false)).toEqual({ levels: [2, 2, 2, 2], touched: 0 })
})
