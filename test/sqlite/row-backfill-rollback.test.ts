import BetterSqlite3 from 'better-sqlite3'
import { rowBackfill, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { installed } from '../engine/support.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

const TRIGGER = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
  CREATE TRIGGER no_minus BEFORE UPDATE ON t WHEN new.n = -2 BEGIN
    SELECT RAISE(ROLLBACK, 'no minus');
  END`

it.each([
  ['ON CONFLICT ROLLBACK', 'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE ON CONFLICT ROLLBACK)', 11],
  ['RAISE(ROLLBACK)', TRIGGER, -2],
])('a row that meets %s fails its batch with its own error; what map throws is set aside', async (_, table, bad) => {
  const file = temporaryDatabaseFile()
  const raw = new BetterSqlite3(file)
  onTestFinished(() => void raw.close())
  raw.pragma('journal_mode = WAL')
  raw.exec(`${table}; INSERT INTO t (n) VALUES (1), (2), (3)`)
  const database = fromBetterSqlite3(file)
  onTestFinished(() => database.close())
  let refuses = false
  const update = rowBackfill<{ n: number }>({
    name: 'numbers',
    table: 't',
    columns: ['n'],
    maxQuarantined: 3,
    map({ n }) {
      if (n === 2 && refuses) throw new Error('refused by map')
      return { n: n === 2 ? bad : n + 10 }
    },
  })
  const options = { updates: [update as never] }
  const updater = await installed({ database: database as unknown as Database<never> }, options)
  await updater.enqueue('numbers')
  await updater.runNextBatch()
  const numbers = raw.prepare('SELECT n FROM t ORDER BY id').pluck()
  const setAside = raw.prepare('SELECT error FROM background_update_quarantine').pluck()
  const [status] = (await updater.databaseStatus()).updates
  expect(status?.lastError).toMatch(/^(UNIQUE constraint failed: t\.n|no minus), and the database rolled the whole/)
  expect([numbers.all(), setAside.all()]).toEqual([[1, 2, 3], []])

  refuses = true
  await updater.retry('numbers')
  await updater.runToCompletion()
  expect([numbers.all(), setAside.all()]).toEqual([[11, 2, 13], ['refused by map']])
})
