import BetterSqlite3 from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { databaseConformance } from 'evenkeel/testing'
import { describe, expect, it } from 'vitest'
import { temporaryDatabaseFile } from '../support/sqlite.js'

describe('fromBetterSqlite3 with a file', () => {
  for (const { name, run } of databaseConformance(() => fromBetterSqlite3(temporaryDatabaseFile()))) it(name, run)
})

describe('fromBetterSqlite3 with a handle of the caller', () => {
  for (const { name, run } of databaseConformance(() => fromBetterSqlite3(new BetterSqlite3(':memory:')))) it(name, run)

  it('leaves the handle open', async () => {
    const handle = new BetterSqlite3(':memory:')
    await fromBetterSqlite3(handle).close()
    expect(handle.open).toBe(true)
    handle.close()
  })

  it('refuses a transaction inside a transaction instead of waiting for itself', async () => {
    const database = fromBetterSqlite3(new BetterSqlite3(':memory:'))
    const nested = database.transaction(() => database.transaction(async () => {}))
    await expect(nested).rejects.toMatchObject({ code: 'NESTED_TRANSACTION' })
  })

  it('waits for another writer without blocking the event loop', async () => {
    const file = temporaryDatabaseFile()
    const other = new BetterSqlite3(file)
    other.exec('CREATE TABLE t (id INTEGER); BEGIN IMMEDIATE')
    const database = fromBetterSqlite3(file)
    let ticks = 0
    const ticking = setInterval(() => {
      ticks += 1
      if (ticks === 3) other.exec('COMMIT')
    }, 1)
    await database.transaction((tx) => database.query(tx, 'INSERT INTO t VALUES (1)'))
    clearInterval(ticking)
    expect(ticks).toBeGreaterThanOrEqual(3)
    await database.close()
    other.close()
  })

  it('gives up after busyTimeoutMs with the error of SQLite as the cause', async () => {
    const file = temporaryDatabaseFile()
    const other = new BetterSqlite3(file)
    other.exec('BEGIN IMMEDIATE')
    const database = fromBetterSqlite3(file, { busyTimeoutMs: 20 })
    await expect(database.transaction(async () => {})).rejects.toMatchObject({
      code: 'DATABASE_BUSY',
      cause: { code: 'SQLITE_BUSY' },
    })
    await database.close()
    other.close()
  })
})
