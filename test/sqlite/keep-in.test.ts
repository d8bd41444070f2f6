import { deleteRows, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { queued } from '../support/walks.js'

async function move(...statements: readonly string[]) {
  const database = fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>
  onTestFinished(() => database.close())
  const query = (text: string) => database.session((session) => session.query(text))
  for (const statement of statements) await query(statement)
  const update = deleteRows({ name: 'move', table: 't', where: 'old', keepIn: 'kept', maxAttempts: 1 })
  const updater = await queued({ database }, update)
  const error = await updater.runToCompletion().then(
    () => null,
    (reason: unknown) => String(reason),
  )
  const rows = async (table: string) => (await query(`SELECT * FROM ${table} ORDER BY id`)).rows
  return { error, left: await rows('t'), kept: await rows('kept') }
}

it('knows a cascade whose parent is written in another case', async () => {
  const { error, left } = await move(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES T (ID) ON DELETE CASCADE, old INTEGER)',
    'CREATE TABLE kept (id INTEGER, parent INTEGER, old INTEGER)',
    'INSERT INTO t VALUES (1, NULL, 1), (2, 1, 0)',
  )
  expect(error).toMatch(/it refers to itself with ON DELETE CASCADE/)
  expect(left).toHaveLength(2)
})

it.each([
  [
    'text in ANY',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY, old INTEGER) STRICT',
    'CREATE TABLE kept (id INTEGER, v ANY, old INTEGER)',
    "'007'",
    /"v" of type ANY would make a number of text/,
  ],
  [
    'a NULL where the number of the row is',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, old INTEGER)',
    'CREATE TABLE kept (id INTEGER, v INTEGER PRIMARY KEY, old INTEGER)',
    'NULL',
    /"v" is INTEGER PRIMARY KEY, which would make a number of a NULL/,
  ],
  [
    'a NULL that a constraint replaces',
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, old INTEGER)',
    "CREATE TABLE kept (id INTEGER, v TEXT NOT NULL ON CONFLICT REPLACE DEFAULT '', old INTEGER)",
    'NULL',
    /NOT NULL constraint failed: kept.v/,
  ],
])('keeps every value as it is, or refuses: %s', async (_, table, keep, value, message) => {
  const { error, left, kept } = await move(table, keep, `INSERT INTO t VALUES (1, ${value}, 1)`)
  expect(error).toMatch(message)
  expect([left.length, kept.length]).toEqual([1, 0])
})

it('takes a table that was made by CREATE TABLE AS, whose types have other names', async () => {
  const values = `(1, 7, '007', 1.5, x'00', '1e3', 1)`
  const { error, left, kept } = await move(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, i BIGINT, v VARCHAR(9), r DOUBLE PRECISION, b BLOB, d DECIMAL(9, 2), old INTEGER)',
    'CREATE TABLE kept AS SELECT * FROM t',
    `INSERT INTO t VALUES ${values}`,
  )
  expect(error).toBeNull()
  expect(left).toEqual([])
  expect(kept).toEqual([{ id: 1, i: 7, v: '007', r: 1.5, b: Buffer.from([0]), d: 1000, old: 1 }])
})

it.each([
  ['v TEXT', 'v INTEGER', ''],
  ['v TEXT', 'v BLOB', ''],
  ['v', 'v NUMERIC', ''],
  ['v CHARINT', 'v CHAR', ''],
  ['v REAL', 'v INTEGER', ''],
  ['v ANY', 'v INTEGER', ' STRICT'],
])('refuses %s that would be kept in %s', async (column, keep, strict) => {
  const { error, left } = await move(
    `CREATE TABLE t (id INTEGER PRIMARY KEY, ${column}, old INTEGER)${strict}`,
    `CREATE TABLE kept (id INTEGER, ${keep}, old INTEGER)${strict}`,
    'INSERT INTO t (id, old) VALUES (1, 1)',
  )
  expect(error).toMatch(/its column "v" is of type/)
  expect(left).toHaveLength(1)
})

it('keeps text in ANY where both tables are STRICT', async () => {
  const { error, kept } = await move(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v ANY, old INTEGER) STRICT',
    'CREATE TABLE kept (id INTEGER, v ANY, old INTEGER) STRICT',
    "INSERT INTO t VALUES (1, '007', 1)",
  )
  expect(error).toBeNull()
  expect(kept).toEqual([{ id: 1, v: '007', old: 1 }])
})

it('takes no row that was kept before, whatever its table says ON CONFLICT', async () => {
  const { error, left, kept } = await move(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, old INTEGER)',
    'CREATE TABLE kept (id INTEGER PRIMARY KEY ON CONFLICT REPLACE, v TEXT, old INTEGER)',
    "INSERT INTO kept VALUES (1, 'first', 1)",
    "INSERT INTO t VALUES (1, 'second', 1)",
  )
  expect(error).toMatch(/UNIQUE constraint failed: kept.id/)
  expect(left).toHaveLength(1)
  expect(kept).toEqual([{ id: 1, v: 'first', old: 1 }])
})
