import { backfill, BackgroundUpdater, noPace } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('a database and a pool that belong to others too', (postgres) => {
  it('functions of others in the search_path are never called by us', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query(`
      CREATE TABLE t (id int PRIMARY KEY, x int);
      INSERT INTO t SELECT generate_series(1, 300);
      CREATE TABLE called (what text);
      CREATE FUNCTION set_config(text, text, boolean) RETURNS text LANGUAGE sql AS
        $$ INSERT INTO called VALUES ('set_config'); SELECT pg_catalog.set_config($1, $2, $3) $$;
      CREATE FUNCTION concat(text, text, text, text) RETURNS text LANGUAGE sql AS
        $$ INSERT INTO called VALUES ('concat'); SELECT '' $$;
      CREATE FUNCTION concat(text, text, text, text, text) RETURNS text LANGUAGE sql AS
        $$ INSERT INTO called VALUES ('concat'); SELECT '' $$;
      CREATE FUNCTION pg_cancel_backend(text) RETURNS boolean LANGUAGE sql AS
        $$ INSERT INTO called VALUES ('cancel'); SELECT true $$`)
    const database = fromPg(pool)
    const fill = backfill({ name: 'fill', table: 't', set: { x: '1' } })
    const updater = new BackgroundUpdater({ database, updates: [fill], pace: noPace(), logger: memoryLogger() })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(fill)
    await updater.runToCompletion()
    const cancel = new AbortController()
    const slept = database.session(({ query }) => query('SELECT pg_sleep(60)'), { signal: cancel.signal })
    const sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    while ((await pool.query(sleeping)).rowCount === 0);
    cancel.abort()
    await expect(slept).rejects.toMatchObject({ code: '57014' })
    expect((await pool.query('SELECT DISTINCT what FROM called')).rows).toEqual([])
  })

  it('a statement that the pool gives up on takes its connection with it', async () => {
    const { url, pool: others } = await postgres.freshDatabase()
    const pool = new pg.Pool({ connectionString: url, max: 1, query_timeout: 3_000 })
    onTestFinished(() => pool.end())
    const database = fromPg(pool)
    const pidOf = async () => (await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid
    const before = await pidOf()
    const sleeping = database.session(({ query }) => query('SELECT pg_sleep(60)'))
    await expect(sleeping).rejects.toThrow('Query read timeout')
    // On the same connection it would wait behind the sleep, and be given up on as well.
    expect(await pidOf()).not.toBe(before)
    await others.query('SELECT pg_terminate_backend($1)', [before])
  })

  it('a connection whose transaction can’t be ended isn’t given to anybody else', async () => {
    const { url } = await postgres.freshDatabase()
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    onTestFinished(() => pool.end())
    const database = fromPg(pool)
    const failing = database.transaction(async (client) => {
      const query = client.query.bind(client)
      client.query = ((text: string) =>
        text.startsWith('ROLLBACK') ? Promise.reject(new Error('not now')) : query(text)) as typeof client.query
      throw new Error('the work failed')
    })
    await expect(failing).rejects.toThrow('the work failed')
    const { rows } = await pool.query('SELECT now() = statement_timestamp() AS alone')
    expect(rows).toEqual([{ alone: true }])
  })

  it('a connection that a cancel may still hit isn’t given to anybody else', async () => {
    const { url } = await postgres.freshDatabase()
    // The cancel needs another connection, so it is under way until this one is given back.
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    onTestFinished(() => pool.end())
    const stop = new AbortController()
    const pidOf = 'SELECT pg_backend_pid() AS pid'
    const before = await fromPg(pool).session(
      async ({ query }) => {
        const { rows } = await query<{ pid: number }>(pidOf)
        stop.abort()
        return rows
      },
      { signal: stop.signal },
    )
    expect((await pool.query(pidOf)).rows).not.toEqual(before)
  })

  it('a server that ends an idle connection doesn’t end the process', async () => {
    const { url, pool: others } = await postgres.freshDatabase()
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    onTestFinished(() => pool.end())
    const { rows } = await fromPg(pool).session(({ query }) => query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))
    const removed = new Promise((resolve) => void pool.once('remove', resolve))
    await others.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
    // An error of the pool that nobody heard would fail the whole test run.
    await removed
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('a server that ends a connection with the bytes that begin it doesn’t end the process', async () => {
    const { url } = await postgres.freshDatabase()
    // What the pool calls where it has stopped listening to a new client and nobody else has begun.
    const verify = (client: pg.PoolClient, done: (error?: Error) => void) => {
      try {
        client.emit('error', new Error('terminating connection due to administrator command'))
        done()
      } catch (unheard) {
        done(unheard as Error)
      }
    }
    const pool = new pg.Pool({ connectionString: url, max: 1, verify })
    onTestFinished(() => pool.end())
    const { rows } = await fromPg(pool).session(({ query }) => query<{ one: number }>('SELECT 1 AS one'))
    expect(rows).toEqual([{ one: 1 }])
  })
})
