import { BackgroundUpdater, backfill, createIndex, noPace, rowBackfill, type UpdaterOptions } from 'evenkeel'
import { fromPg, type FromPgOptions } from 'evenkeel/pg'
import pg from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { countChanges, numbers } from '../crash/support/scenario.js'
import { gate, memoryLogger, next, update } from '../engine/support.js'
import { pgbouncer, SERVER_CONNECTIONS, startPgBouncer } from '../support/pgbouncer.js'
import { describePostgres, type PostgresContext } from '../support/postgres.js'

const ROWS = 300

const double = backfill({ name: 'double', table: 't', set: { doubled: 'id * 2' }, maxBatchSize: 20 })
const triple = rowBackfill<{ id: number }>({
  name: 'triple',
  table: 't',
  columns: ['id'],
  map: ({ id }) => ({ tripled: id * 3 }),
  maxBatchSize: 30,
})
const index = createIndex({ name: 'index', index: 't_doubled_idx', table: 't', columns: ['doubled'] })

function define(program: string, postgres: PostgresContext) {
  /** A table, and what makes updaters over the pooler. */
  async function prepared() {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query(`
      CREATE TABLE t (id INTEGER PRIMARY KEY, doubled INTEGER, tripled INTEGER);
      INSERT INTO t SELECT i FROM ${numbers(ROWS)};
      ${countChanges('postgres', 't')}`)
    const url = await startPgBouncer(program, fresh.url)
    const pooled = () => {
      const pool = new pg.Pool({ connectionString: url, max: 4 })
      onTestFinished(() => pool.end())
      return pool
    }
    await vi.waitFor(() => pooled().query('SELECT 1'), { timeout: 20_000, interval: 50 })
    const updaterOf = (
      options: Omit<UpdaterOptions, 'database'>,
      driver: FromPgOptions = { transactionPooler: true },
    ) => {
      const database = fromPg(pooled(), driver) as never
      const updater = new BackgroundUpdater<never>({
        pace: noPace(),
        pollMs: 20,
        logger: memoryLogger(),
        ...(options as Omit<UpdaterOptions<never>, 'database'>),
        database,
      })
      onTestFinished(() => updater.stop({ graceMs: 0 }))
      return updater
    }
    return { ...fresh, pool: fresh.pool, pooled, updaterOf }
  }

  it('two runners do everything once, pause and cancel are obeyed', async () => {
    const { pool, updaterOf } = await prepared()
    const updates = [double, triple, update('cancelled', async () => ({ items: 1, progress: { n: Math.random() } }))]
    const runners = [updaterOf({ updates }), updaterOf({ updates })] as const
    await runners[0].install()
    await runners[0].enqueue('cancelled', { ordering: -1 })
    const began = next(runners[0], 'batch:success')
    await runners[0].start()
    await began
    await runners[1].pause('cancelled', { by: 'test' })
    await runners[1].enqueue(double)
    await runners[1].enqueue(triple)
    await runners[1].start()
    await runners[1].waitFor(['double', 'triple'])
    await runners[1].cancel('cancelled')
    await Promise.all(runners.map((runner) => runner.stop()))
    const { rows } = await pool.query(
      'SELECT id FROM t WHERE doubled <> id * 2 OR tripled <> id * 3 OR doubled + tripled IS NULL',
    )
    expect(rows).toEqual([])
    expect((await pool.query('SELECT id FROM changes GROUP BY id HAVING count(*) <> 2')).rows).toEqual([])
    expect((await runners[0].history()).map(({ outcome }) => outcome).sort()).toEqual([
      'cancelled',
      'completed',
      'completed',
    ])
  })

  it('the heartbeat keeps a batch that is longer than its lease', async () => {
    const { pool, updaterOf } = await prepared()
    const running = gate()
    const finish = gate()
    const long = update('long', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const runner = updaterOf({ updates: [long], leaseMs: 300 })
    await runner.install()
    await runner.enqueue(long)
    const until = async () =>
      (await pool.query<{ at: Date }>('SELECT lease_expires_at AS at FROM background_updates')).rows[0]?.at.getTime() ??
      0
    const batch = runner.runNextBatch()
    await running.opened
    const first = await until()
    await vi.waitFor(async () => expect(await until()).toBeGreaterThan(first + 300), { timeout: 20_000, interval: 20 })
    finish.open()
    expect((await batch).ran).toBe('long')
  })

  it('one-shot updates are refused, unless there is a direct pool', async () => {
    const { pool, updaterOf } = await prepared()
    const without = updaterOf({ updates: [double, index] })
    await without.install()
    await expect(without.start()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining('direct') as string,
    })
    const both = updaterOf({ updates: [double, index] }, { transactionPooler: true, direct: pool })
    await both.enqueue(double)
    await both.enqueue(index)
    await both.runToCompletion()
    expect(
      (await pool.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_doubled_idx'::regclass")).rows,
    ).toEqual([{ indisvalid: true }])
  })

  // What one transaction prepares is on another connection of the server for the next.
  it.each([
    ['told of', { transactionPooler: true }],
    ['found out', {}],
  ])('nothing is prepared when the pooler was %s', async (_, driver: FromPgOptions) => {
    const { pooled, updaterOf } = await prepared()
    const runner = updaterOf({ updates: [double] }, driver)
    await runner.install()
    await runner.enqueue(double)
    await runner.runToCompletion()
    expect(await runner.history()).toMatchObject([{ failures: 0 }])
    // As many at once as the pooler has connections to the server, so that each is asked.
    const pool = pooled()
    const clients = await Promise.all(Array.from({ length: SERVER_CONNECTIONS }, () => pool.connect()))
    for (const client of clients) await client.query('BEGIN')
    const answers = await Promise.all(
      clients.map((client) =>
        client.query<{ pid: number; names: string[] | null }>(
          'SELECT pg_backend_pid() AS pid, (SELECT array_agg(name) FROM pg_prepared_statements) AS names',
        ),
      ),
    )
    for (const client of clients) await client.query('COMMIT')
    for (const client of clients) client.release()
    const connections = answers.flatMap(({ rows }) => rows)
    expect(new Set(connections.map(({ pid }) => pid)).size).toBe(SERVER_CONNECTIONS)
    expect(connections.flatMap(({ names }) => names ?? [])).toEqual([])
  })

  it('who forgot to speak of the pooler: batches run, a one-shot fails at once, before it has done anything', async () => {
    const { pool, updaterOf } = await prepared()
    const forgetful = updaterOf({ updates: [double, index] }, {})
    await forgetful.install()
    await forgetful.enqueue(double)
    await forgetful.enqueue(index)
    await expect(forgetful.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    expect((await forgetful.databaseStatus()).updates).toMatchObject([
      { name: 'index', state: 'failed', lastError: expect.stringContaining('pooler in transaction mode') as string },
    ])
    expect((await pool.query('SELECT id FROM t WHERE doubled IS DISTINCT FROM id * 2')).rows).toEqual([])
    expect((await pool.query("SELECT to_regclass('t_doubled_idx') AS index")).rows).toEqual([{ index: null }])
  })
}

if (pgbouncer === null) {
  describe('through PgBouncer in transaction mode', () => {
    it('is left out: PgBouncer is not installed', () => expect(pgbouncer).toBeNull())
  })
} else {
  const program = pgbouncer
  describePostgres('through PgBouncer in transaction mode', (postgres) => define(program, postgres))
}
