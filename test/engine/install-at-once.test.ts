import { BackgroundUpdater } from 'evenkeel'
import { fromPg, type FromPgOptions } from 'evenkeel/pg'
import { expect, it, vi } from 'vitest'
import { INSTALL_LOCK } from '../../src/schema/install.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'

const PROCESSES = 4
const LEVELS: readonly FromPgOptions['isolationLevel'][] = ['read committed', 'repeatable read', 'serializable']

/** So many installations that all wait for the lock before one of them gets it. */
async function installAtOnce(database: TestDatabase, options: FromPgOptions, schema: { schema?: string } = {}) {
  const holder = await database.openClient()
  await holder.query('SELECT pg_advisory_lock($1)', [INSTALL_LOCK])
  const installing = Array.from({ length: PROCESSES }, () =>
    new BackgroundUpdater({ database: fromPg(database.openPool(), options), ...schema }).install(),
  )
  const settled = Promise.all(installing)
  settled.catch(() => {})
  await vi.waitFor(
    async () => {
      const { rows } = await holder.query(
        `SELECT FROM pg_locks
         JOIN pg_database ON pg_database.oid = database
         WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted`,
      )
      expect(rows).toHaveLength(PROCESSES)
    },
    { timeout: 20_000 },
  )
  await holder.query('SELECT pg_advisory_unlock($1)', [INSTALL_LOCK])
  return settled
}

describePostgres('processes that install at once', (postgres) => {
  it.each(LEVELS)('end with one installation under %s, and nobody fails', async (isolationLevel) => {
    const database = await postgres.freshDatabase()
    const results = await installAtOnce(database, { isolationLevel })
    expect(results.filter(({ from }) => from === 0)).toHaveLength(1)
    expect(results.filter(({ from, to }) => from === to)).toHaveLength(PROCESSES - 1)
  })

  it.each(LEVELS)('make one schema under %s', async (isolationLevel) => {
    const database = await postgres.freshDatabase()
    const results = await installAtOnce(database, { isolationLevel }, { schema: 'ops' })
    expect(results.filter(({ from }) => from === 0)).toHaveLength(1)
  })

  it.each(LEVELS)('adopt a queue once under %s, with its rows', async (isolationLevel) => {
    const database = await postgres.freshDatabase()
    await database.pool.query(`
      CREATE TABLE background_updates (
        update_name TEXT PRIMARY KEY,
        progress_json TEXT,
        depends_on TEXT,
        ordering INTEGER
      );
      INSERT INTO background_updates (update_name) VALUES ('a')`)
    const results = await installAtOnce(database, { isolationLevel })
    expect(results.filter(({ adopted }) => adopted)).toHaveLength(1)
    const { rows } = await database.pool.query('SELECT update_name, progress_json, ordering FROM background_updates')
    expect(rows).toEqual([{ update_name: 'a', progress_json: '{}', ordering: 0 }])
  })

  it('still fail when it is somebody else’s table that is there', async () => {
    const database = await postgres.freshDatabase()
    await database.pool.query('CREATE TABLE background_update_history (something TEXT)')
    const updater = new BackgroundUpdater({ database: fromPg(database.pool) })
    await expect(updater.install()).rejects.toMatchObject({ code: '42P07' })
  })
})
