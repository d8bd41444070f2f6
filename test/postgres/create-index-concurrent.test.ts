import type pg from 'pg'
import { expect, it } from 'vitest'
import { fromPg } from 'evenkeel/pg'
import { createIndex, IndexDefinitionError } from '../../src/updates/create-index.js'
import type { CreateIndexOptions } from '../../src/updates/create-index.js'
import type { ProgressReport } from '../../src/updates/definition.js'
import { failure, indexes, oldSnapshot, released, until, validity } from '../support/indexes.js'
import { runOneShot } from '../support/one-shot.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('createIndex beside others', (postgres) => {
  const make = async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query(`
      CREATE TABLE users (id int PRIMARY KEY, email text);
      INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 500) AS n`)
    return database
  }
  const definition = (options: Partial<CreateIndexOptions> = {}) =>
    createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['email'], ...options })
  const inspect = (pool: pg.Pool, update = definition()): Promise<ProgressReport> => {
    const database = fromPg(pool)
    return database.transaction(async (tx) =>
      (update.inspect as NonNullable<typeof update.inspect>)(
        { query: (text, values) => database.query(tx, text, values), dialect: 'postgres' },
        {},
      ),
    )
  }

  it('tells the phase, how far it is, and whom it waits for', async () => {
    const database = await make()
    expect(await inspect(database.pool)).toEqual({ fraction: null, phase: 'waiting to build', detail: undefined })
    const old = await oldSnapshot(database)
    const building = runOneShot(fromPg(database.pool), definition())
    await old.holdsUpABuild()
    const report = await inspect(database.pool)
    expect(report.phase).toBe('waiting for old snapshots')
    expect(report.detail).toMatch(new RegExp(`waits for pid ${old.pid} \\(idle in transaction, open for \\d+ s, `))
    expect(report.fraction).toBeGreaterThan(0.5)
    expect(report.fraction).toBeLessThan(1)
    await old.end()
    await building
    expect(await inspect(database.pool)).toMatchObject({ phase: 'index is valid', fraction: 0.99 })
  })

  it('tells whom it waits for before the build begins', async () => {
    const database = await make()
    const locker = await database.openClient()
    await locker.query('BEGIN; LOCK TABLE users IN SHARE UPDATE EXCLUSIVE MODE')
    const { rows } = await locker.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const building = runOneShot(fromPg(database.pool), definition())
    await until(
      database.pool,
      `SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database() AND NOT granted AND relation = 'users'::regclass`,
    )
    expect(await inspect(database.pool)).toMatchObject({
      phase: 'waiting for a lock',
      detail: expect.stringContaining(`waits for pid ${rows[0]?.pid} `) as string,
    })
    await locker.query('COMMIT')
    await building
  })

  it('waits for the build of another process, and takes its index', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const other = await database.openClient()
    const theirs = other.query('CREATE INDEX CONCURRENTLY users_idx ON users (email)')
    await old.holdsUpABuild()
    const before = await indexes(database.pool)
    expect(before.users_idx?.valid).toBe(false)
    const waiting = said()
    const building = runOneShot(fromPg(database.pool), definition(), { log: waiting.log })
    await waiting.heard(/waits for the index build of pid \d+/)
    await old.end()
    await theirs
    await building
    expect((await indexes(database.pool)).users_idx).toMatchObject({ oid: before.users_idx?.oid, valid: true })
  })

  it('drops what the build of another process left when it failed, and builds', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const other = await database.openClient()
    const theirs = failure(other.query('CREATE INDEX CONCURRENTLY users_idx ON users (email)'))
    await old.holdsUpABuild()
    const waiting = said()
    const building = runOneShot(fromPg(database.pool), definition(), { log: waiting.log })
    await waiting.heard(/waits for the index build/)
    await database.pool.query(
      'SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()',
    )
    expect(await theirs).toMatchObject({ code: '57014' })
    await old.end()
    await building
    expect(await validity(database.pool)).toMatchObject({ users_idx: true })
  })

  it('keeps an index whose build ends between two looks', async () => {
    const { pool } = await make()
    const setValid = (valid: boolean) =>
      pool.query(`UPDATE pg_index SET indisvalid = ${valid} WHERE indexrelid = 'users_idx'::regclass`)
    await pool.query('CREATE INDEX users_idx ON users (email)')
    await setValid(false)
    const before = await indexes(pool)
    let looks = 0
    await runOneShot(fromPg(pool), definition(), {
      wrap: (query) => async (text, values) => {
        const answer = await query<never>(text, values)
        if (text.includes('FROM pg_stat_progress_create_index')) looks += 1
        // The first was before the index was seen to be invalid, the second finds nobody who builds it.
        if (looks === 2) await setValid(true)
        return answer
      },
    })
    expect(looks).toBeGreaterThan(1)
    expect((await indexes(pool)).users_idx).toMatchObject({ oid: before.users_idx?.oid, valid: true })
  })

  it('refuses what another process built meanwhile with another definition', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const other = await database.openClient()
    const theirs = other.query('CREATE INDEX CONCURRENTLY users_idx ON users (id)')
    await old.holdsUpABuild()
    const waiting = said()
    const outcome = failure(runOneShot(fromPg(database.pool), definition(), { log: waiting.log }))
    await waiting.heard(/waits for the index build/)
    await old.end()
    await theirs
    expect(await outcome).toBeInstanceOf(IndexDefinitionError)
    expect(await validity(database.pool)).toMatchObject({ users_idx: true })
  })

  it('gives up waiting when it is told to stop, and disturbs nobody', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const other = await database.openClient()
    const theirs = other.query('CREATE INDEX CONCURRENTLY users_idx ON users (email)')
    await old.holdsUpABuild()
    const stop = new AbortController()
    const waiting = said()
    const building = runOneShot(fromPg(database.pool), definition(), { signal: stop.signal, log: waiting.log })
    const outcome = failure(building)
    await waiting.heard(/waits for the index build/)
    stop.abort()
    await outcome
    await old.end()
    await theirs
    expect(await validity(database.pool)).toMatchObject({ users_idx: true })
    await released(database.pool)
  })

  it('removes the unfinished index when it is stopped', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const stop = new AbortController()
    const outcome = failure(runOneShot(fromPg(database.pool), definition(), { signal: stop.signal }))
    await old.holdsUpABuild()
    stop.abort()
    expect(await outcome).toMatchObject({ code: '57014' })
    expect(await validity(database.pool)).toEqual({ users_pkey: true })
    await old.end()
    await released(database.pool)
  })

  it('removes the unfinished index when a person cancels the build', async () => {
    const database = await make()
    const old = await oldSnapshot(database)
    const outcome = failure(runOneShot(fromPg(database.pool), definition()))
    await old.holdsUpABuild()
    await database.pool.query(
      'SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()',
    )
    expect(await outcome).toMatchObject({ code: '57014' })
    expect(await validity(database.pool)).toEqual({ users_pkey: true })
    await old.end()
  })

  it.each([
    ['waiting for writers before build', 'BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE'],
    ['waiting for old snapshots', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1'],
  ])('builds again what a builder left that was killed while %s', async (phase, holdUp) => {
    const database = await make()
    const holder = await database.openClient()
    await holder.query(holdUp)
    const pool = database.openPool({ max: 1 })
    const outcome = failure(runOneShot(fromPg(pool), definition()))
    await until(
      database.pool,
      `SELECT FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase = '${phase}'`,
    )
    await database.pool.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()',
    )
    await outcome
    await holder.query('COMMIT')
    expect(await validity(database.pool)).toMatchObject({ users_idx: false })
    await runOneShot(fromPg(pool), definition())
    expect(await validity(database.pool)).toMatchObject({ users_idx: true })
  })

  it('waits with the replaced index, too', async () => {
    const database = await make()
    await database.pool.query('CREATE INDEX old_idx ON users (email)')
    const update = definition({ replaces: 'old_idx', columns: ['email', 'id'] })
    const locker = await database.openClient()
    await locker.query('BEGIN')
    const building = runOneShot(fromPg(database.pool), update, {
      wrap: (query) => async (text, values) => {
        // A transaction that uses the table when the old index is to go.
        if (text.startsWith('DROP INDEX CONCURRENTLY')) await locker.query('SELECT * FROM users LIMIT 1')
        return query(text, values)
      },
    })
    await until(
      database.pool,
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DROP INDEX CONCURRENTLY%'`,
    )
    expect(await inspect(database.pool, update)).toMatchObject({
      phase: 'dropping index',
      fraction: 0.99,
      detail: expect.stringContaining('waits for pid ') as string,
    })
    await locker.query('COMMIT')
    await building
    expect(await validity(database.pool)).toEqual({ users_idx: true, users_pkey: true })
  })

  it('does not wait for builds on other tables', async () => {
    const database = await make()
    await database.pool.query('CREATE TABLE other (id int)')
    const locker = await database.openClient()
    await locker.query('BEGIN; LOCK TABLE other IN ROW EXCLUSIVE MODE')
    const other = await database.openClient()
    const theirs = other.query('CREATE INDEX CONCURRENTLY other_idx ON other (id)')
    await until(
      database.pool,
      `SELECT FROM pg_stat_progress_create_index WHERE datname = current_database() AND phase LIKE 'waiting for writers%'`,
    )
    await runOneShot(fromPg(database.pool), definition())
    await locker.query('COMMIT')
    await theirs
  })
})

/** What the update logged, and a promise of a message. */
function said(): { log: (message: string) => void; heard: (pattern: RegExp) => Promise<void> } {
  const messages: string[] = []
  let look = () => {}
  return {
    log: (message) => {
      messages.push(message)
      look()
    },
    heard: (pattern) =>
      new Promise((resolve) => {
        look = () => {
          if (messages.some((message) => pattern.test(message))) resolve()
        }
        look()
      }),
  }
}
