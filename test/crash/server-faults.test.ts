import { BackgroundUpdater, backfill, noPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { OwnServer } from '../support/own-server.js'
import { postgresVersions } from '../support/postgres.js'
import { impatient } from './support/impatient.js'
import { countChanges, numbers } from './support/scenario.js'
import { smallFileSystem } from './support/small-file-system.js'
import { TcpProxy } from './support/tcp-proxy.js'

const ROWS = 600

// On the newest one only: these faults are the operating system's, not a version's.
const newest = postgresVersions.at(-1)

describe.each(newest === undefined ? [] : [newest])('faults of a server (PostgreSQL %s)', (version) => {
  let server: OwnServer
  beforeAll(async () => {
    server = await OwnServer.start(version)
  })
  afterAll(() => server.dispose())

  function open(url: string): pg.Pool {
    const pool = new pg.Pool({ connectionString: url, max: 3 })
    pool.on('error', () => {})
    onTestFinished(() => pool.end())
    return pool
  }

  /** A table of numbers to double, and an updater that will do it over `url`. */
  async function prepared(url = server.url) {
    const admin = open(server.url)
    await admin.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
    await admin.query(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER);
      INSERT INTO t SELECT i FROM ${numbers(ROWS)};
      ${countChanges('postgres', 't')}`)
    const double = backfill({ name: 'double', table: 't', set: { doubled: 'id * 2' }, maxBatchSize: 20 })
    const logger = memoryLogger()
    const options = { updates: [double], pace: noPace(), clock: impatient, leaseMs: 500, pollMs: 20, logger }
    const updater = new BackgroundUpdater({ database: fromPg(open(url)), ...options })
    onTestFinished(() => updater.stop({ graceMs: 0 }))
    const installer = new BackgroundUpdater({ database: fromPg(admin), ...options })
    await installer.install()
    await installer.enqueue(double)
    return { updater, logger }
  }

  /** Runs it, calling `fault` once when `batches` have been committed; `fault` may take its time. */
  async function runWith(updater: BackgroundUpdater<never>, batches: number, fault: () => Promise<unknown>) {
    let committed = 0
    let faulty: Promise<unknown> | undefined
    updater.on('batch:success', () => {
      committed += 1
      if (committed === batches) faulty = fault()
    })
    await updater.start()
    await vi.waitFor(() => expect(faulty).toBeDefined(), { timeout: 30_000, interval: 5 })
    await faulty
  }

  async function expectDoneOnce(url = server.url) {
    const pool = open(url)
    const ask = async (sql: string) => (await pool.query<Record<string, unknown>>(sql)).rows
    const queued = 'SELECT 1 AS queued FROM background_updates'
    await vi.waitFor(async () => expect(await ask(queued)).toEqual([]), { timeout: 50_000, interval: 50 })
    expect(await ask('SELECT id FROM t WHERE doubled IS DISTINCT FROM id * 2')).toEqual([])
    expect(await ask('SELECT id FROM changes GROUP BY id HAVING count(*) <> 1')).toEqual([])
    expect(await ask('SELECT outcome, items::int, failures FROM background_update_history')).toEqual([
      { outcome: 'completed', items: ROWS, failures: 0 },
    ])
  }

  it('a crash of the server in the middle of a batch: the runner goes on when it is back', async () => {
    const { updater } = await prepared()
    await runWith(updater as never, 4, async () => {
      await server.stop('immediate')
      await server.startAgain()
    })
    await expectDoneOnce()
  })

  it('connections that are ended at random', async () => {
    const { updater } = await prepared()
    const admin = open(server.url)
    let ended = 0
    let batches = 0
    updater.on('batch:start', () => {
      batches += 1
      if (batches % 3 > 0) return
      const end = `
        SELECT pg_terminate_backend(pid)
        FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        ORDER BY random()
        LIMIT 1`
      void admin.query(end).then(
        ({ rowCount }) => (ended += rowCount ?? 0),
        () => {},
      )
    })
    await updater.start()
    await expectDoneOnce()
    expect(ended).toBeGreaterThan(5)
  })

  it('a replica that is promoted: the runner waits while it is read-only, and goes on', async () => {
    const standby = await server.standby('promoted')
    const proxy = await TcpProxy.to(Number(new URL(server.url).port))
    onTestFinished(() => proxy.close())
    onTestFinished(() => server.startAgain())
    const { updater, logger } = await prepared(proxy.url(server.url))
    const replica = open(standby.url)
    await vi.waitFor(async () => expect((await replica.query('SELECT 1 FROM background_updates')).rowCount).toBe(1), {
      timeout: 20_000,
      interval: 50,
    })
    await runWith(updater as never, 4, async () => {
      proxy.target = Number(new URL(standby.url).port)
      await server.stop('immediate')
      const readOnly = () => expect(logger.texts('warn').join('\n')).toMatch(/read-only/)
      await vi.waitFor(readOnly, { timeout: 20_000, interval: 20 })
      await replica.query('SELECT pg_promote()')
    })
    await expectDoneOnce(standby.url)
  })

  it.runIf(smallFileSystem !== null)(
    'a disk that is full: nothing is lost, and with room again it goes on',
    async () => {
      const folder = smallFileSystem?.() ?? ''
      const admin = open(server.url)
      await admin.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
      await admin.query(`CREATE TABLESPACE small LOCATION '${folder}'`)
      onTestFinished(async () => {
        await admin.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
        await admin.query('DROP TABLESPACE small')
      })
      await admin.query(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, filler TEXT) TABLESPACE small;
      ALTER TABLE t ALTER filler SET STORAGE PLAIN;
      INSERT INTO t SELECT i FROM ${numbers(ROWS)};
      CREATE TABLE ballast (filler TEXT) TABLESPACE small;
      ALTER TABLE ballast ALTER filler SET STORAGE PLAIN;
      INSERT INTO ballast SELECT repeat('x', 4000) FROM generate_series(1, 600);
      ${countChanges('postgres', 't')}`)
      const set = { doubled: 'id * 2', filler: "repeat('x', 3000)" }
      const fill = backfill({ name: 'fill', table: 't', set, maxBatchSize: 50 })
      const options = { updates: [fill], pace: noPace(), clock: impatient, maxAttempts: 2, pollMs: 20 }
      const updater = new BackgroundUpdater({ database: fromPg(admin), ...options, logger: memoryLogger() })
      onTestFinished(() => updater.stop({ graceMs: 0 }))
      await updater.install()
      await updater.enqueue(fill)
      await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
      const [row] = (await updater.databaseStatus()).updates
      expect(row?.lastError).toMatch(/No space left on device/)
      expect(row?.batches).toBeGreaterThan(0)
      await admin.query('DROP TABLE ballast')
      await updater.retry('fill')
      await updater.runToCompletion()
      const ask = async (sql: string) => (await admin.query<object>(sql)).rows
      expect(await ask('SELECT id FROM t WHERE doubled IS DISTINCT FROM id * 2')).toEqual([])
      expect(await ask('SELECT id FROM changes GROUP BY id HAVING count(*) <> 1')).toEqual([])
    },
  )

  it('connections that are half open: nobody says a word, and the runner goes on over others', async () => {
    const proxy = await TcpProxy.to(Number(new URL(server.url).port))
    onTestFinished(() => proxy.close())
    const { updater } = await prepared(proxy.url(server.url))
    await runWith(updater as never, 4, async () => proxy.freeze())
    await expectDoneOnce()
  })
})
