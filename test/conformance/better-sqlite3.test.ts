import BetterSqlite3 from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import type { Database } from 'evenkeel'
import { databaseConformance } from 'evenkeel/testing'
import { statSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { pipelinedTransaction } from '../../src/databases/pipelined-transaction.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

describe('fromBetterSqlite3 with a file', () => {
  for (const { name, run } of databaseConformance(() => fromBetterSqlite3(temporaryDatabaseFile()))) it(name, run)
})

// As a driver that sends one statement after the other.
describe('a database without pipelinedTransaction', () => {
  const plain = (database: Database<never>): Database<never> =>
    new Proxy(database, {
      get(target, key) {
        const value: unknown = key === 'pipelinedTransaction' ? undefined : Reflect.get(target, key)
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
  const database = () => plain(fromBetterSqlite3(temporaryDatabaseFile()) as unknown as Database<never>)
  for (const { name, run } of databaseConformance(database)) it(name, run)
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

  it('refuses the transaction of a handler, lets its session join, and makes others wait', async () => {
    const database = fromBetterSqlite3(new BetterSqlite3(':memory:'))
    const older = turn()
    const seen: unknown[] = []
    let begun = () => {}
    const handlerRuns = new Promise<void>((resolve) => (begun = resolve))
    const handler = async () => {
      // Contexts must outlive whatever is awaited.
      await older
      begun()
      await turn()
      await database.transaction(async () => {}).catch((error: { code: string }) => seen.push(error.code))
      await database.session(async ({ query }) => seen.push((await query('SELECT 1 AS one')).rows[0]))
      await database.transaction(async () => {}).catch((error: { code: string }) => seen.push(error.code))
    }
    const inside = async () => {
      const batch = pipelinedTransaction(database, [], async () => {
        await database.runHandler?.(handler)
        seen.push('handled')
        return { result: undefined, closing: [] }
      })
      await handlerRuns
      await Promise.all([batch, database.transaction(async () => seen.push('outsider'))])
    }
    const once = ['NESTED_TRANSACTION', { one: 1 }, 'NESTED_TRANSACTION', 'handled', 'outsider']
    await inside()
    expect(seen).toEqual(once)
    // Nothing is left of the turn before.
    await inside()
    expect(seen).toEqual([...once, ...once])
    await database.transaction(() => database.transaction(async () => {})).catch((error: Error) => seen.push(error))
    expect(seen.at(-1)).toMatchObject({ code: 'NESTED_TRANSACTION' })
  })

  describe('an asynchronous commit', () => {
    const prepared = (journalMode: 'wal' | 'delete') => {
      const file = temporaryDatabaseFile()
      const handle = new BetterSqlite3(file)
      handle.pragma(`journal_mode = ${journalMode}`)
      handle.exec('CREATE TABLE t (id INTEGER); PRAGMA user_version = 7')
      // In WAL mode better-sqlite3's own is NORMAL.
      handle.pragma('synchronous = FULL')
      const level = () => handle.pragma('synchronous', { simple: true })
      const database = fromBetterSqlite3(handle)
      return { file, handle, level, database }
    }
    const INSERT = { text: 'INSERT INTO t VALUES (1)' }
    const asynchronousCommit = true

    it('does not wait for the disk in its own transaction, and leaves the setting as it was', async () => {
      const { handle, level, database } = prepared('wal')
      const commit = (options: { readonly asynchronousCommit?: boolean }) =>
        pipelinedTransaction(database, [INSERT], async () => ({ result: level(), closing: [] }), options)
      expect([level(), await commit({ asynchronousCommit }), level()]).toEqual([2, 1, 2])
      expect([await commit({}), await commit({ asynchronousCommit: false })]).toEqual([2, 2])
      handle.pragma('synchronous = EXTRA')
      expect([await commit({ asynchronousCommit }), level()]).toEqual([1, 3])
      handle.pragma('synchronous = OFF')
      expect([await commit({ asynchronousCommit }), level()]).toEqual([0, 0])
      handle.pragma('synchronous = FULL')
      const failing = pipelinedTransaction(database, [], () => Promise.reject(new Error('no')), { asynchronousCommit })
      await expect(failing).rejects.toThrow('no')
      expect(level()).toBe(2)
    })

    it('waits for it without a write-ahead log, where it could spoil the file', async () => {
      const { level, database } = prepared('delete')
      const work = async () => ({ result: level(), closing: [] })
      expect(await pipelinedTransaction(database, [INSERT], work, { asynchronousCommit })).toBe(2)
    })

    it('writes once more, and waits, behind one that has to be on the disk', async () => {
      const { file, handle, level, database } = prepared('wal')
      const size = () => statSync(`${file}-wal`).size
      const grownBy = async (durable: boolean) => {
        const before = size()
        const work = async () => ({ result: undefined, closing: [], durable })
        await pipelinedTransaction(database, [INSERT], work, { asynchronousCommit })
        return size() - before
      }
      const one = await grownBy(false)
      expect(one).toBeGreaterThan(0)
      expect(await grownBy(true)).toBe(2 * one)
      expect([handle.pragma('user_version', { simple: true }), level()]).toEqual([7, 2])
    })

    it('waits for whoever holds the file when it begins', async () => {
      const { file, database, handle } = prepared('wal')
      const other = new BetterSqlite3(file)
      other.exec('BEGIN IMMEDIATE')
      // In a turn of the event loop that only a wait lets come.
      setImmediate(() => other.exec('COMMIT'))
      const work = async () => ({ result: undefined, closing: [], durable: true })
      await pipelinedTransaction(database, [INSERT], work, { asynchronousCommit })
      expect(handle.prepare('SELECT count(*) AS rows FROM t').get()).toEqual({ rows: 1 })
    })
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
