import {
  backfill,
  type BackgroundUpdater,
  postgresSignals,
  sqliteSignals,
  type Database,
  type SignalsOption,
  type UpdaterOptions,
} from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import BetterSqlite3 from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { installed, memoryLogger, observed } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

const LOWER = backfill({ name: 'lower', table: 'users', set: { body: 'lower(body)' } }) as never

/** Ready-made signals, asked ten times a second. */
function often({ dialect, signals }: ReturnType<typeof postgresSignals>): SignalsOption {
  return [{ dialect, signals: signals.map((each) => ({ ...each, intervalMs: 100 })) }]
}

async function started(
  database: Database<never>,
  signals: SignalsOption,
  more: Partial<UpdaterOptions<never>> = {},
): Promise<BackgroundUpdater<never>> {
  const updater = await installed({ database }, { updates: [LOWER], signals, ...more })
  await updater.enqueue('lower')
  await updater.start()
  return updater
}

/** Waits until the status says that the update is held back, and why. */
async function holds(updater: BackgroundUpdater<never>, why: RegExp): Promise<void> {
  await vi.waitFor(
    async () => {
      const [update] = (await updater.databaseStatus()).updates
      expect(update?.waiting).toEqual({ code: 'throttled', text: expect.stringMatching(why) as string })
    },
    { timeout: 30_000, interval: 20 },
  )
}

describePostgres('an updater with the default pace', (postgres) => {
  async function users() {
    const database = await postgres.freshDatabase()
    await database.pool.query("CREATE TABLE users AS SELECT i AS id, 'ABC' AS body FROM generate_series(1, 1000) AS i")
    await database.pool.query('ALTER TABLE users ADD PRIMARY KEY (id)')
    const upper = async () => (await database.pool.query("SELECT FROM users WHERE body = 'ABC'")).rowCount
    return { database, adapter: fromPg(database.openPool()) as unknown as Database<never>, upper }
  }

  it('waits beside a long transaction, says so, and goes on when it is over', async () => {
    const { database, adapter, upper } = await users()
    const report = await database.openClient({ application_name: 'report' })
    await report.query('BEGIN; SELECT pg_sleep(0.1)')
    const updater = await started(adapter, often(postgresSignals({ transactionMs: 50 })))
    await holds(
      updater,
      /^stopped: the transaction of pid \d+ \(report, idle in transaction\) is open for .+ \(limit 50 ms\)/,
    )
    expect(await upper()).toBe(1_000)
    await report.query('COMMIT')
    await updater.waitFor('lower')
    expect(await upper()).toBe(0)
    await updater.stop()
  })

  it('queues no batch behind DDL that waits for the table being updated', async () => {
    const { database, adapter, upper } = await users()
    const reader = await database.openClient()
    await reader.query('BEGIN; SELECT FROM users')
    const altering = (await database.openClient()).query('ALTER TABLE users ADD seen TEXT')
    const updater = await started(adapter, often(postgresSignals()))
    await holds(updater, /^stopped: pid \d+ waits for AccessExclusiveLock on users/)
    await reader.query('COMMIT')
    await altering
    await updater.waitFor('lower')
    expect(await upper()).toBe(0)
    await updater.stop()
  })

  it('looks at nothing for a caller who runs the batches himself, and at nothing once it has stopped', async () => {
    const { adapter } = await users()
    let looks = 0
    const database = observed(adapter, (text) => {
      if (/pg_stat_/.test(text)) looks += 1
    })
    const options = { updates: [LOWER], signals: 'auto', defaultBatchSize: 10, maxBatchSize: 10 } as const
    const updater = await installed({ database }, options)
    await updater.enqueue('lower')
    await updater.runNextBatch()
    expect(looks).toBe(0)
    await updater.start()
    await vi.waitFor(() => expect(looks).toBeGreaterThan(0), { timeout: 30_000 })
    await updater.stop()
    const before = looks
    await updater.runToCompletion()
    expect(looks).toBe(before)
  })

  it('measures nothing when it is told to', async () => {
    const { adapter, upper } = await users()
    let looks = 0
    const database = observed(adapter, (text) => {
      if (/pg_stat_/.test(text)) looks += 1
    })
    const updater = await started(database, false)
    await updater.waitFor('lower')
    await updater.stop()
    expect([looks, await upper()]).toEqual([0, 0])
  })
})

describe('an updater with the default pace (SQLite)', () => {
  it('waits for a reader who starves the checkpoint, says so, and goes on when he has gone', async () => {
    const file = temporaryDatabaseFile()
    const other = new BetterSqlite3(file)
    other.exec('PRAGMA journal_mode = WAL; CREATE TABLE users (id INTEGER PRIMARY KEY, body TEXT)')
    other.exec(`
      WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 5000)
      INSERT INTO users SELECT i, upper(hex(randomblob(200))) || 'ABC' FROM numbers`)
    const database = fromBetterSqlite3(file) as unknown as Database<never>
    const readersConnection = new BetterSqlite3(file)
    const reader = readersConnection.prepare('SELECT * FROM users').iterate()
    onTestFinished(async () => {
      await database.close()
      reader.return?.()
      readersConnection.close()
      other.close()
    })
    reader.next()
    // The log is too long before the first batch: one that came first might be the last.
    other.exec("UPDATE users SET body = body || 'ABC'")
    const updater = await started(database, often(sqliteSignals({ walBytes: 100_000 })), {
      defaultBatchSize: 200,
      maxBatchSize: 200,
      logger: memoryLogger(),
    })
    await holds(updater, /^stopped: .* of write-ahead log wait for a reader/)
    reader.return?.()
    await updater.waitFor('lower')
    await updater.stop()
    expect(other.prepare('SELECT count(*) AS n FROM users WHERE body <> lower(body)').get()).toEqual({ n: 0 })
  })
})
