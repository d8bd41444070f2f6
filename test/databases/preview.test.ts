import { backfill, createIndex, deleteRows, rowBackfill, UnknownUpdateError, type UpdateDefinition } from 'evenkeel'
import { expect, it } from 'vitest'
import { installed, memoryLogger } from '../engine/support.js'
import { describeDatabases } from '../support/databases.js'
import { batchesOf } from '../support/walks.js'

const purge = deleteRows({ name: 'purge', table: 't', where: 'id % 10 = 3', maxDeletes: 10_000 })
const UPDATES: readonly UpdateDefinition<never, never>[] = [
  purge,
  deleteRows({ name: 'move', table: 't', where: 'id > 11990', keepIn: 'kept' }),
  backfill({ name: 'fill', table: 't', set: { label: `'x'` }, where: 'label IS NULL' }),
  rowBackfill({ name: 'map', table: 't', columns: ['id'], map: () => ({ label: 'x' }) }),
  createIndex({ name: 'index', index: 'i', table: 't', columns: ['label'] }),
]

describeDatabases('a preview', (context) => {
  // 12 000 rows, more than the steps that a preview takes.
  const shop = async () => {
    const db = await context.fresh()
    await db.query('CREATE TABLE t (id INTEGER PRIMARY KEY, label TEXT, body TEXT)')
    await db.query('CREATE TABLE kept (id INTEGER, label TEXT, body TEXT)')
    await db.query(
      `INSERT INTO t (id, body)
       WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
       SELECT i, '${'long '.repeat(30)}' FROM n`,
    )
    const logger = memoryLogger()
    const updater = await installed(db, { updates: UPDATES, logger, tuner: batchesOf(4_000) })
    const count = async () => (await db.query<{ n: number }>('SELECT CAST(count(*) AS INTEGER) AS n FROM t')).rows[0]?.n
    return { db, updater, logger, count }
  }

  it('counts the rows that would go and shows the first of them, and changes nothing', async () => {
    const { updater, count } = await shop()
    const preview = await updater.preview('purge')
    expect(preview).toMatchObject({ does: 'delete', rows: 1_200, exact: true, lookedAt: 12_000 })
    expect(preview?.sample.map((row) => row['id'])).toEqual(['3', '13', '23', '33', '43'])
    expect(preview?.sample[0]).toEqual({ id: '3', label: null, body: 'long '.repeat(20) })
    expect(await updater.preview('move')).toMatchObject({ does: 'move', rows: 10, exact: true })
    expect(await updater.preview('fill')).toMatchObject({ does: 'change', rows: 12_000, exact: true })
    expect(await updater.preview('map')).toMatchObject({ does: 'change', rows: 12_000 })
    expect(await count()).toBe(12_000)
  })

  it('stops soon after its limit, and then says that there may be more', async () => {
    const { updater } = await shop()
    expect(await updater.preview('fill', { limit: 100 })).toMatchObject({ rows: 5_000, exact: false, lookedAt: 5_000 })
  })

  it('looks at what is left of an update that has begun', async () => {
    const { updater } = await shop()
    await updater.enqueue('purge')
    await updater.runNextBatch()
    expect(await updater.preview('purge')).toMatchObject({ rows: 800, exact: true, lookedAt: 8_000 })
  })

  it('finds nothing in an empty table, and has nothing to say of an index', async () => {
    const { db, updater } = await shop()
    await db.query('DELETE FROM t')
    expect(await updater.preview('purge')).toMatchObject({ rows: 0, exact: true, lookedAt: 0, sample: [] })
    expect(await updater.preview('index')).toBeNull()
  })

  it('is logged once before an update deletes its first row', async () => {
    const { updater, logger } = await shop()
    await updater.enqueue('purge')
    await updater.runToCompletion()
    const said = logger.entries.filter(({ message }) => message.includes('about to begin'))
    expect(said).toMatchObject([{ level: 'info', details: { update: 'purge', rows: 1_200, exact: true } }])
    expect(said[0]?.message).toMatch(/it deletes 1200 rows of \w+\.t$/)
  })

  it('refuses what it doesn’t know', async () => {
    const { updater } = await shop()
    await expect(updater.preview('purg')).rejects.toThrow(UnknownUpdateError)
    await expect(updater.preview('purge', { limits: 3 } as never)).rejects.toThrow(/did you mean "limit"/)
    await expect(updater.preview('purge', { timeoutMs: 0 })).rejects.toThrow(/timeoutMs/)
  })

  it('ends with the time that it has', async () => {
    const { updater } = await shop()
    const preview = await updater.preview('purge', { timeoutMs: 0.001 })
    expect(preview?.exact ?? false).toBe(false)
  })
})
