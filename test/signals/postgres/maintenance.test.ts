import { postgresSignals, type Reading } from 'evenkeel'
import { expect, it } from 'vitest'
import { describePostgres } from '../../support/postgres.js'
import { calm, stops, watchPostgres } from '../support.js'

const presses = ({ verdict }: Reading): boolean => verdict === 'pressure'

describePostgres('signal maintenance', (postgres) => {
  async function fresh() {
    const database = await postgres.freshDatabase()
    const { pool, url } = database
    return { pool, url, openClient: database.openClient.bind(database) }
  }

  it('an ALTER that waits behind our batch stops the next one, and so does one that waits for somebody else', async () => {
    const { pool, url, openClient } = await fresh()
    await pool.query('CREATE TABLE users (id INT)')
    const { until } = watchPostgres(url, postgresSignals().signals, { table: 'users' })
    await until('maintenance', calm)
    for (const application_name of ['evenkeel:backfill', 'app']) {
      const holder = await openClient({ application_name })
      await holder.query('BEGIN; INSERT INTO users VALUES (1)')
      const altering = (await openClient({ application_name: 'migration' })).query('ALTER TABLE users ADD seen TEXT')
      expect((await until('maintenance', stops)).why).toMatch(/^pid \d+ waits for AccessExclusiveLock on users$/)
      await holder.query('COMMIT')
      await altering
      await until('maintenance', calm)
      await pool.query('ALTER TABLE users DROP COLUMN seen')
    }
  })

  it('sees what is done to a partition, in another schema too, and nothing of another table', async () => {
    const { pool, url, openClient } = await fresh()
    await pool.query(`
      CREATE SCHEMA shop;
      CREATE TABLE shop."Order.s" (id INT) PARTITION BY RANGE (id);
      CREATE TABLE shop.first PARTITION OF shop."Order.s" FOR VALUES FROM (0) TO (10);
      CREATE TABLE users (id INT)`)
    const table = { schema: 'shop', name: 'Order.s' }
    const orders = watchPostgres(url, postgresSignals().signals, { table })
    const users = watchPostgres(url, postgresSignals().signals, { table: 'users' })
    const ddl = await openClient({ application_name: 'migration' })
    await ddl.query('BEGIN; LOCK TABLE shop.first IN SHARE ROW EXCLUSIVE MODE')
    expect((await orders.until('maintenance', stops)).why).toMatch(
      /^pid \d+ holds ShareRowExclusiveLock on shop\.Order\.s$/,
    )
    await users.until('maintenance', calm)
    await ddl.query('COMMIT')
    await orders.until('maintenance', calm)
    // A table that isn't there is nobody's work.
    await watchPostgres(url, postgresSignals().signals, { table: 'gone' }).until('maintenance', calm)
    await watchPostgres(url, postgresSignals().signals).until('maintenance', calm)
  })

  it('a VACUUM of the table slows the work down', async () => {
    const { pool, url, openClient } = await fresh()
    await pool.query(`
      CREATE TABLE users AS SELECT i AS id, repeat('x', 500) AS body FROM generate_series(1, 20000) AS i;
      DELETE FROM users WHERE id % 2 = 0`)
    const { until } = watchPostgres(url, postgresSignals().signals, { table: 'users' })
    await until('maintenance', calm)
    // As slow as autovacuum may be told to be, so that it is still there when it is looked for.
    const cleaner = await openClient({ application_name: 'cleaner' })
    await cleaner.query('SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1')
    const { rows } = await cleaner.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const vacuuming = cleaner.query('VACUUM users').catch((error: unknown) => error)
    const beside = await until('maintenance', presses)
    expect(beside.why).toMatch(/^pid \d+ works on users, since \d+ m?s or longer$/)
    expect(beside.utilisation).toBeLessThan(1)
    await pool.query('SELECT pg_cancel_backend($1)', [rows[0]?.pid])
    await vacuuming
    await until('maintenance', calm)
  })
})
