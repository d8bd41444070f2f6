import { BackgroundUpdater, defineUpdate, type UpdateDefinition } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import type pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { memoryLogger } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

interface Seen {
  readonly application: string
  readonly query: string
}

const WHO = `
  SELECT application_name AS application, query
  FROM pg_stat_activity
  WHERE pid = pg_backend_pid()`

describePostgres('pg_stat_activity', (postgres) => {
  const run = async (pool: pg.Pool, update: UpdateDefinition<never, never>) => {
    const updater = new BackgroundUpdater({
      database: fromPg(pool),
      updates: [update] as never,
      logger: memoryLogger(),
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(update)
    await updater.runToCompletion()
  }

  it.each(['fill users', `*/ DROP TABLE background_updates; /*`, 'Grüße'])(
    'says whose a batch is: %s',
    async (name) => {
      const { pool } = await postgres.freshDatabase()
      const seen: Seen[] = []
      const update = defineUpdate({
        name,
        async batch({ query }) {
          seen.push(...(await query<Seen>(WHO)).rows, ...(await query<Seen>(`${WHO} AND 1 = $1`, [1])).rows)
          return { items: 1, done: true }
        },
      })
      await run(pool, update)
      const ascii = name.replaceAll(/[^\x20-\x7e]/g, '?')
      expect(seen.map(({ application }) => application)).toEqual([`evenkeel:${ascii}`, `evenkeel:${ascii}`])
      for (const { query } of seen) expect(query).toMatch(/\/\*evenkeel:[^*/]+\*\/$/)
      const { rows } = await pool.query<{ application_name: string }>(`SHOW application_name`)
      expect(rows[0]?.application_name).not.toContain('evenkeel:')
    },
  )

  it('says of an idle session that we used it last', async () => {
    const database = await postgres.freshDatabase()
    const own = fromPg(database.openPool({ max: 1 }))
    const last = async (work: () => Promise<void>) => {
      const session = await own.session(({ query }) => query<{ pid: number }>('SELECT pg_backend_pid() AS pid'))
      await own.transaction(work).catch(() => {})
      const values = [session.rows[0]?.pid]
      return (await database.pool.query<Seen>('SELECT query FROM pg_stat_activity WHERE pid = $1', values)).rows[0]
        ?.query
    }
    expect(await last(async () => {})).toBe('COMMIT /*evenkeel*/')
    expect(await last(() => Promise.reject(new Error('the work failed')))).toBe('ROLLBACK /*evenkeel*/')
  })

  it('says whose a one-shot is, while it runs and no longer', async () => {
    const database = await postgres.freshDatabase()
    const pool = database.openPool({ max: 1, application_name: 'shop' })
    const seen: Seen[] = []
    const update = defineUpdate({
      name: 'build',
      oneShot: true,
      async run({ session, tx }) {
        seen.push(...(await session.query<Seen>(WHO)).rows)
        const { rows } = await (tx as pg.PoolClient).query<Seen>(WHO)
        seen.push(...rows)
      },
    })
    await run(pool, update)
    expect(seen.map(({ application }) => application)).toEqual(['evenkeel:build', 'evenkeel:build'])
    expect(seen[0]?.query).toContain('/*evenkeel:build*/')
    expect((await pool.query(`SHOW application_name`)).rows).toEqual([{ application_name: 'shop' }])
  })
})
