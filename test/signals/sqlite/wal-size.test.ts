import { statSync } from 'node:fs'
import { backfill, BackgroundUpdater, noPace, sqliteSignals, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import BetterSqlite3 from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../src/clock.js'
import { isCheckpointDue, WalCheckpoints } from '../../../src/databases/wal-checkpoints.js'
import { memoryLogger } from '../../engine/support.js'
import { temporaryDatabaseFile } from '../../support/sqlite.js'
import { calm, stops, watch } from '../support.js'

function open(journal = 'WAL') {
  const file = temporaryDatabaseFile()
  const other = new BetterSqlite3(file)
  other.exec(`PRAGMA journal_mode = ${journal}; CREATE TABLE users (id INTEGER PRIMARY KEY, body TEXT)`)
  other.exec(`
    WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 2000)
    INSERT INTO users SELECT i, hex(randomblob(100)) FROM numbers`)
  const database = fromBetterSqlite3(file) as unknown as Database<never>
  onTestFinished(async () => {
    await database.close()
    other.close()
  })
  const setting = async (name: string) =>
    Object.values((await database.session(({ query }) => query(`PRAGMA ${name}`))).rows[0] ?? {})[0]
  return {
    file,
    other,
    database,
    setting,
    logBytes: () => statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0,
  }
}

const rewrite = (database: Database<never>) =>
  database.transaction((tx) => database.query(tx, 'UPDATE users SET body = hex(randomblob(100))'))

const UPDATE = backfill({ name: 'lower', table: 'users', set: { body: 'lower(body)' } }) as never

function updaterOf(database: Database<never>): BackgroundUpdater<never> {
  const updater = new BackgroundUpdater<never>({
    database,
    updates: [UPDATE],
    pace: noPace(),
    defaultBatchSize: 100,
    maxBatchSize: 100,
    logger: memoryLogger(),
  })
  onTestFinished(() => updater.stop())
  return updater
}

describe('signal wal size', () => {
  it('a reader who keeps the log from being copied stops the work; when he goes it goes on', async () => {
    const { database, other } = open()
    const checkpoints = new WalCheckpoints(database, systemClock, 25)
    const { until } = watch(database, sqliteSignals({ walBytes: 500_000 }).signals, { own: { checkpoints } })
    await rewrite(database)
    await until('wal size', calm)
    const reader = other.prepare('SELECT * FROM users').iterate()
    reader.next()
    await rewrite(database)
    await rewrite(database)
    const starved = await until('wal size', stops)
    expect(starved.why).toMatch(/^[\d.]+ [kM]B of [\d.]+ [kM]B of write-ahead log wait for a reader \(limit 488 kB\)$/)
    reader.return?.()
    await until('wal size', calm)
  })

  it('leaves the file alone while a batch runs', async () => {
    const { database } = open()
    const checkpoints = new WalCheckpoints(database, systemClock, 25)
    let running = true
    const { until } = watch(database, sqliteSignals().signals, { own: { checkpoints, batchRunning: () => running } })
    await rewrite(database)
    expect((await until('wal size', calm)).why).toMatch(/keeps no write-ahead log/)
    expect(checkpoints.state).toBeNull()
    running = false
    await until('wal size', ({ why }) => why.startsWith('nothing of'))
  })

  it('has nothing to say of a database without a write-ahead log', async () => {
    const { database } = open('DELETE')
    const checkpoints = new WalCheckpoints(database, systemClock, 25)
    const { until } = watch(database, sqliteSignals().signals, { own: { checkpoints } })
    expect((await until('wal size', calm)).value).toBe(0)
  })
})

describe('the write-ahead log of SQLite', () => {
  it('is copied between batches, emptied at the end of the update, and then SQLite is left to itself', async () => {
    const { database, setting, logBytes } = open()
    const updater = updaterOf(database)
    await updater.install()
    await updater.enqueue('lower')
    expect(await setting('wal_autocheckpoint')).toBe(1_000)
    await updater.runNextBatch()
    while (!(await updater.runNextBatch()).complete);
    expect(await setting('wal_autocheckpoint')).toBe(10_000)
    expect(logBytes()).toBe(0)
    await updater.stop()
    expect(await setting('wal_autocheckpoint')).toBe(1_000)
  })

  it('is emptied when the updater stops in the middle of an update', async () => {
    const { database, setting, logBytes } = open()
    const updater = updaterOf(database)
    await updater.install()
    await updater.enqueue('lower')
    for (let batch = 0; batch < 5; batch += 1) await updater.runNextBatch()
    expect(logBytes()).toBeGreaterThan(0)
    await updater.stop()
    expect(logBytes()).toBe(0)
    expect(await setting('wal_autocheckpoint')).toBe(1_000)
  })

  it('stays while somebody reads in it, and neither the batches nor stop() wait for him', async () => {
    const { database, other, logBytes } = open()
    const updater = updaterOf(database)
    await updater.install()
    await updater.enqueue('lower')
    const reader = other.prepare('SELECT * FROM users').iterate()
    reader.next()
    await updater.runToCompletion()
    await updater.stop()
    expect(logBytes()).toBeGreaterThan(0)
    reader.return?.()
    expect(other.prepare('SELECT count(*) AS n FROM users WHERE body <> lower(body)').get()).toEqual({ n: 0 })
  })

  it('no rhythm lets the log grow for ever, and none copies it more often than after a batch', () => {
    const positive = fc.double({ min: 0.001, max: 1_000, noNaN: true })
    fc.assert(
      fc.property(positive, positive, positive, (busyMs, costPerMs, targetMs) => {
        const due = isCheckpointDue(busyMs, costPerMs, targetMs)
        if (busyMs >= 20 * targetMs) expect(due).toBe(true)
        if (busyMs * costPerMs > targetMs) expect(due).toBe(true)
        if (busyMs < targetMs / 2 && costPerMs < 1) expect(due).toBe(false)
        // More work never makes it less due.
        if (due) expect(isCheckpointDue(busyMs * 2, costPerMs, targetMs)).toBe(true)
      }),
    )
  })
})
