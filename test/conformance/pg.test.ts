import type { PoolClient } from 'pg'
import { fromPg } from 'evenkeel/pg'
import { databaseConformance } from 'evenkeel/testing'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'

describePostgres('fromPg', (postgres) => {
  for (const { name, run } of databaseConformance(() => fromPg(postgres.pool))) it(name, run)

  it('gives handlers the client of the pool', async () => {
    const text = await fromPg(postgres.pool).transaction(
      async (tx: PoolClient) => (await tx.query<{ one: string }>("SELECT 'x' AS one")).rows[0]?.one,
    )
    expect(text).toBe('x')
  })

  it('hangs one listener on a client, however many databases are made of its pool', async () => {
    const pool = postgres.database.openPool({ max: 1 })
    const idle = async () => {
      const client = await pool.connect()
      client.release()
      return client.listenerCount('end')
    }
    const before = await idle()
    for (let times = 0; times < 3; times += 1) await fromPg(pool).session(({ query }) => query('SELECT 1'))
    expect(await idle()).toBe(before + 1)
    expect(fromPg(pool).backends?.()).toHaveLength(1)
  })

  it('survives a connection that the server ends in mid-transaction', async () => {
    const database = fromPg(postgres.pool)
    const broken = database.transaction(async (tx) => {
      const { rows } = await database.query<{ pid: number }>(tx, 'SELECT pg_backend_pid() AS pid')
      await postgres.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid])
      await database.query(tx, 'SELECT 1')
    })
    await expect(broken).rejects.toThrow(/terminat/i)
    await expect(database.transaction(async () => 'again')).resolves.toBe('again')
  })
})
