import {
  addConstraint,
  BackgroundUpdater,
  backfill,
  check,
  createIndex,
  deleteRows,
  rowBackfill,
  type Database,
  type UpdateDefinition,
} from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { describe, expect, it } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { TEXTS } from './hostile.js'
import { catalogue, sentinel } from './sentinel.js'

/** Names that both databases take: quotes, dots, comments, reserved words, emoji, 63 bytes. */
const legal = TEXTS.filter(
  (text) => text.trim() !== '' && !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= 63,
)

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** The update's own name can't hold a comma or blanks at its ends; it is another name. */
const updateName = (name: string) => `u${name.replaceAll(',', ';')}u`

async function useName(database: Database<never>, name: string): Promise<void> {
  const run = (sql: string) => database.session(({ query }) => query(sql))
  // An index must not have the name of its table.
  const tableName = `${[...name].slice(0, -1).join('')}Q`
  const table = quoted(tableName)
  await run(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, ${quoted(name)} TEXT, b TEXT)`)
  await run(`INSERT INTO ${table} (id, b) VALUES (1, 'x'), (2, 'y')`)
  const updates = [
    backfill({ name: updateName(name), table: tableName, set: { [name]: 'b' }, ordering: 0 }),
    rowBackfill({
      name: `rows ${updateName(name)}`,
      table: tableName,
      columns: [name],
      map: (row) => ({ [name]: `${String(row[name])}!` }),
      ordering: 1,
    }),
    createIndex({
      name: `index ${updateName(name)}`,
      index: `${name}`,
      table: tableName,
      columns: [name, 'b'],
      ordering: 2,
    }),
    deleteRows({
      name: `delete ${updateName(name)}`,
      table: tableName,
      where: 'id = 2',
      maxDeletes: 'unlimited',
      ordering: 3,
    }),
  ] as unknown as UpdateDefinition<never, never>[]
  const updater = new BackgroundUpdater<never>({ database, updates, logger: memoryLogger(), pollMs: 5 })
  for (const update of updates) await updater.enqueue(update)
  await updater.runToCompletion()
  const constraintName = name
  await addConstraint(database, {
    constraintName,
    table: tableName,
    constraint: check(`${quoted(name)} <> 'z'`),
    update: updateName(name),
  })
  const { rows } = await run(`SELECT id, ${quoted(name)} AS value FROM ${table}`)
  expect(rows.map((row) => ({ ...row }))).toEqual([{ id: 1, value: 'x!' }])
  await run('DELETE FROM background_updates')
  await run(`DROP TABLE ${table}`)
}

async function useNames(database: Database<never>): Promise<void> {
  await sentinel(database)
  const before = await catalogue(database)
  for (const name of legal) await useName(database, name)
  expect(await catalogue(database)).toEqual(before)
}

describe('hostile names of tables, columns, indexes and constraints (SQLite)', () => {
  it('are used as they are', async () => {
    await useNames(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>)
  })
})

describePostgres('hostile names of tables, columns, indexes and constraints', (postgres) => {
  it('are used as they are', async () => {
    await useNames(fromPg(postgres.pool) as unknown as Database<never>)
  })
})
