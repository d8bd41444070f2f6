import { expect, it, onTestFinished } from 'vitest'
import { BackgroundUpdater } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { createIndex } from '../../src/updates/create-index.js'
import type { CreateIndexOptions } from '../../src/updates/create-index.js'
import { failure, oldSnapshot, released, validity } from '../support/indexes.js'
import { describePostgres } from '../support/postgres.js'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

describePostgres('createIndex in an updater', (postgres) => {
  const make = async (options: Partial<CreateIndexOptions> = {}) => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await pool.query(`
      CREATE TABLE users (id int PRIMARY KEY, email text);
      INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 500) AS n;
      CREATE INDEX users_old ON users (email)`)
    const update = createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['email'], ...options })
    const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update], logger: SILENT, leaseMs: 2_000 })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(update)
    return { database, pool, updater, update }
  }
  const ofUsers = async (pool: Parameters<typeof validity>[0]) =>
    Object.fromEntries(Object.entries(await validity(pool)).filter(([name]) => name.startsWith('users_')))

  it('builds, replaces, analyzes, and leaves the queue', async () => {
    const { pool, updater } = await make({
      replaces: 'users_old',
      analyze: true,
      columns: [{ expression: 'lower(email)' }],
    })
    await updater.runToCompletion()
    expect(await ofUsers(pool)).toEqual({ users_idx: true, users_pkey: true })
    expect((await pool.query(`SELECT FROM pg_stats WHERE tablename = 'users_idx'`)).rowCount).toBe(1)
    expect(await updater.hasCompleted('u')).toBe(true)
  })

  it('fails at once at duplicates, and can be retried when they are gone', async () => {
    const { pool, updater } = await make({ unique: true })
    await pool.query(`UPDATE users SET email = 'twice' WHERE id < 3`)
    expect(String(await failure(updater.runToCompletion()))).toContain(
      '1 key is in more than one row: ("twice") in 2 rows',
    )
    const status = await updater.status()
    expect(status.databases.main?.updates[0]).toMatchObject({ state: 'failed', failures: 1 })
    expect(await ofUsers(pool)).toEqual({ users_old: true, users_pkey: true })
    await pool.query('DELETE FROM users WHERE id = 1')
    await updater.retry('u')
    await updater.runToCompletion()
    expect(await ofUsers(pool)).toEqual({ users_idx: true, users_old: true, users_pkey: true })
  })

  it('shows in the status what it waits for, and leaves nothing behind when it is stopped', async () => {
    const { database, pool, updater, update } = await make()
    const old = await oldSnapshot(database)
    await updater.start()
    await old.holdsUpABuild()
    const status = await updater.status()
    expect(status.databases.main?.updates[0]).toMatchObject({
      state: 'running',
      phase: 'waiting for old snapshots',
      detail: expect.stringContaining('waits for pid ') as string,
    })
    expect(status.databases.main?.updates[0]?.fraction).toBeLessThan(1)
    await updater.stop({ graceMs: 1 })
    expect(await ofUsers(pool)).toEqual({ users_old: true, users_pkey: true })
    await old.end()
    await updater.start()
    await updater.waitFor(update.name)
    await updater.stop()
    expect(await ofUsers(pool)).toEqual({ users_idx: true, users_old: true, users_pkey: true })
    await released(pool)
  })
})
