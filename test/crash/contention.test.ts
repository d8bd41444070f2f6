import { spawn } from 'node:child_process'
import BetterSqlite3 from 'better-sqlite3'
import { BackgroundUpdater, backfill, noPace, type UpdateDefinition, type UpdaterOptions } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describeDatabases } from '../support/databases.js'
import { describePostgres } from '../support/postgres.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'
import { impatient } from './support/impatient.js'
import { countChanges, numbers } from './support/scenario.js'

const ROWS = 60
const DOUBLED_ONCE = [
  'SELECT id FROM t WHERE doubled IS NULL OR doubled <> id * 2',
  'SELECT id FROM changes GROUP BY id HAVING count(*) <> 1',
  `SELECT 1 AS few WHERE (SELECT count(*) FROM changes) <> ${ROWS}`,
]

function tables(dialect: 'postgres' | 'sqlite'): string {
  return `
CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, filler TEXT);
INSERT INTO t (id) SELECT i FROM ${numbers(ROWS)};
${countChanges(dialect, 't')}`
}

const sizes = { defaultBatchSize: 10, minBatchSize: 1, maxBatchSize: 10 }
const double = () => backfill({ name: 'double', table: 't', set: { doubled: 'id * 2' }, ...sizes })

async function ready(
  options: Omit<UpdaterOptions<never>, 'updates'>,
  update: UpdateDefinition<never, never> = double(),
): Promise<BackgroundUpdater<never>> {
  const settings = { pace: noPace(), clock: impatient, pollMs: 20, logger: memoryLogger(), ...options }
  const updater = new BackgroundUpdater<never>({ ...settings, updates: [update] })
  onTestFinished(() => updater.stop({ graceMs: 0 }))
  await updater.install()
  await updater.enqueue(update, { ifExists: 'ignore' })
  return updater
}

describePostgres('beside others', (postgres) => {
  it('a foreground that deadlocks with a batch goes on, and the batch is done again', async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query(tables('postgres'))
    // Longer than the server waits before it looks for a deadlock; by default we have given up by then.
    const updater = await ready({ database: fromPg(database.pool) as never, lockTimeoutMs: 60_000 })
    const failures: string[] = []
    updater.on('batch:failure', ({ error }) => failures.push((error as { code?: string }).code ?? ''))
    const foreground = await database.openClient()
    // Ours has the shorter patience, so that it is the one which is ended.
    await foreground.query("SET deadlock_timeout = '1min'; BEGIN; SELECT 1 FROM t WHERE id = 5 FOR UPDATE")
    const running = updater.runToCompletion()
    const blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await vi.waitFor(async () => expect((await database.pool.query(blocked)).rowCount).toBe(1), {
      timeout: 20_000,
      interval: 5,
    })
    await foreground.query('SELECT 1 FROM t WHERE id = 1 FOR UPDATE')
    await foreground.query('COMMIT')
    await running
    expect(failures).toContain('40P01')
    for (const sql of DOUBLED_ONCE) expect((await database.pool.query(sql)).rows).toEqual([])
  })

  it('under REPEATABLE READ a batch that can not be serialized is done again as a whole', async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query(tables('postgres'))
    const other = database.openPool()
    let calls = 0
    const update = backfill({
      name: 'double',
      table: 't',
      async run({ sql, range }) {
        calls += 1
        await sql('SELECT 1 FROM t LIMIT 1')
        if (calls === 2 || calls === 4) await other.query('UPDATE t SET filler = $1 WHERE id BETWEEN 11 AND 30', ['x'])
        return sql(`UPDATE t SET doubled = id * 2 WHERE ${range.sql}`)
      },
      ...sizes,
    })
    const updater = await ready(
      { database: fromPg(database.pool, { isolationLevel: 'repeatable read' }) as never },
      update,
    )
    await updater.runToCompletion()
    expect(calls).toBeGreaterThan(6)
    const { rows } = await database.pool.query(
      'SELECT id FROM t WHERE doubled IS DISTINCT FROM id * 2 OR (id BETWEEN 11 AND 20 AND filler IS NULL)',
    )
    expect(rows).toEqual([])
    expect((await updater.history())[0]).toMatchObject({ outcome: 'completed', items: ROWS })
  })
})

describe('beside others (SQLite)', () => {
  it('a storm of writers in another process: every batch gets its turn', async () => {
    const file = temporaryDatabaseFile()
    const handle = new BetterSqlite3(file)
    onTestFinished(() => void handle.close())
    handle.pragma('journal_mode = WAL')
    handle.exec(`${tables('sqlite')} CREATE TABLE storm (n INTEGER)`)
    const storm = `
      const db = new (require('better-sqlite3'))(process.argv[1])
      db.pragma('busy_timeout = 10000')
      const write = db.transaction(() => { for (let i = 0; i < 200; i += 1) db.prepare('INSERT INTO storm VALUES (1)').run() })
      for (;;) write.immediate()`
    const writers = [1, 2].map(() => spawn(process.execPath, ['-e', storm, file], { stdio: 'ignore' }))
    onTestFinished(() => writers.forEach((writer) => writer.kill('SIGKILL')))
    const count = () => Number((handle.prepare('SELECT count(*) AS n FROM storm').get() as { n: number }).n)
    await vi.waitFor(() => expect(count()).toBeGreaterThan(1_000), { timeout: 20_000, interval: 20 })
    const database = fromBetterSqlite3(file, { busyTimeoutMs: 30_000 })
    onTestFinished(() => database.close())
    const updater = await ready({ database: database as never })
    await updater.runToCompletion()
    for (const sql of DOUBLED_ONCE) expect(handle.prepare(sql).all()).toEqual([])
    expect(writers.map(({ exitCode }) => exitCode)).toEqual([null, null])
  })

  it('a full disk fails batches and loses nothing; with room again, the update goes on', async () => {
    const file = temporaryDatabaseFile()
    const handle = new BetterSqlite3(file)
    onTestFinished(() => void handle.close())
    handle.pragma('journal_mode = WAL')
    handle.exec(tables('sqlite'))
    const fill = backfill({
      name: 'fill',
      table: 't',
      set: { doubled: 'id * 2', filler: "printf('%.*c', 4000, 'x')" },
      ...sizes,
    })
    const updater = await ready({ database: fromBetterSqlite3(handle) as never, maxAttempts: 2 }, fill)
    // SQLite knows no other limit of a file's size; to a statement it is the same error as a full disk.
    handle.pragma(`max_page_count = ${Number(handle.pragma('page_count', { simple: true })) + 25}`)
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    const [row] = (await updater.databaseStatus()).updates
    expect(row).toMatchObject({ state: 'failed', lastError: expect.stringContaining('full') as string })
    expect(row?.batches).toBeGreaterThan(0)
    handle.pragma('max_page_count = 1000000')
    await updater.retry('fill')
    await updater.runToCompletion()
    for (const sql of DOUBLED_ONCE) expect(handle.prepare(sql).all()).toEqual([])
  })
})

describeDatabases('clocks', ({ fresh, dialect }) => {
  it('of the machines do not matter: they jump to and fro, and two runners do all once', async () => {
    const database = await fresh()
    const script = tables(dialect)
    if (dialect === 'postgres') await database.query(script)
    else {
      const statements = script.split(/;\n(?=CREATE|INSERT)/)
      for (const statement of statements) await database.query(statement)
    }
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    let batches = 0
    const jump = () => {
      batches += 1
      vi.setSystemTime(Date.UTC(2000 + (batches % 2) * 60, 0, 1))
    }
    const runners = [await ready({ database: database.database }), await ready({ database: database.another() })]
    for (const runner of runners) runner.on('batch:start', jump)
    await Promise.all(runners.map((runner) => runner.runToCompletion()))
    expect(batches).toBeGreaterThanOrEqual(6)
    for (const sql of DOUBLED_ONCE) expect((await database.query(sql)).rows).toEqual([])
  })
})
