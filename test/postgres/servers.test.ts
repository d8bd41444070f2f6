import pg from 'pg'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'

describePostgres('the test servers', (postgres) => {
  it('answer with their version', async () => {
    const { rows } = await postgres.pool.query<{ major: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS major`,
    )
    expect(rows).toEqual([{ major: postgres.version }])
  })

  it('hold UTF-8, fold case beyond ASCII and know ICU collations', async () => {
    const { rows } = await postgres.pool.query(`SELECT lower('ÉVÊQUE') AS lower, 'a' < 'B' COLLATE "en-x-icu" AS icu`)
    expect(rows).toEqual([{ lower: 'évêque', icu: true }])
  })

  it('give a test a database of its own', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.pool.query('CREATE TABLE only_here ()')
    const { rows } = await postgres.pool.query(`SELECT to_regclass('only_here') AS found`)
    expect(rows).toEqual([{ found: null }])
  })

  it('tell of a connection that was left open', async () => {
    const fresh = await postgres.freshDatabase()
    const stray = new pg.Client({ connectionString: fresh.url, application_name: 'stray' })
    await stray.connect()
    await stray.query('BEGIN')
    expect(await fresh.settle()).toEqual([expect.stringMatching(/'stray' in .* is idle in transaction.*BEGIN/)])
    await stray.end()
    expect(await fresh.settle()).toEqual([])
  })

  it('tell of a client that a pool misses', async () => {
    const fresh = await postgres.freshDatabase()
    const client = await fresh.pool.connect()
    expect(await fresh.settle()).toEqual(['- 1 client(s) of a pool not released'])
    client.release()
    expect(await fresh.settle()).toEqual([])
  })

  it('wait for a client that comes and is released when its test has ended', async () => {
    const fresh = await postgres.freshDatabase()
    const released = fresh.pool.connect().then((client) => client.release())
    expect(await fresh.settle()).toEqual([])
    await released
  })

  it('drop a database that is disposed of', async () => {
    const fresh = await postgres.freshDatabase()
    await fresh.dispose()
    const { rows } = await postgres.pool.query('SELECT datname FROM pg_database WHERE datname = $1', [fresh.name])
    expect(rows).toEqual([])
  })
})
