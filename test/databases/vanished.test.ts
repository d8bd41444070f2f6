import { backfill, BackgroundUpdater, defineUpdate, rowBackfill, type UpdateDefinition } from 'evenkeel'
import { expect, it, onTestFinished } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { batchesOf, queued } from '../support/walks.js'

const NUMBERS = 'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20)'

type AnyUpdate = UpdateDefinition<never, never>

const UPDATES: readonly (readonly [kind: string, update: () => AnyUpdate])[] = [
  ['backfill', () => backfill({ name: 'fill', table: 't', set: { value: '1' } })],
  [
    'rowBackfill',
    () => rowBackfill({ name: 'fill', table: 't', columns: ['id'], map: () => ({ value: 1 }), maxQuarantined: 5 }),
  ],
  [
    'a handler of one’s own',
    () =>
      defineUpdate<unknown, { done?: number }>({
        name: 'fill',
        async batch({ query, progress }) {
          const { rowCount } = await query(
            'UPDATE t SET value = 1 WHERE id IN (SELECT id FROM t WHERE value IS NULL LIMIT 7)',
          )
          return { items: rowCount, progress: { done: (progress.done ?? 0) + rowCount }, done: rowCount === 0 }
        },
      }),
  ],
]

describeDatabases('a table or column that vanished', (context) => {
  const begun = async (update: AnyUpdate) => {
    const db = await context.fresh()
    await db.query('CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER)')
    await db.query(`INSERT INTO t (id) ${NUMBERS} SELECT i FROM n`)
    const updater = await queued(db, update, [7])
    await updater.runNextBatch()
    return { db, updater }
  }

  const paused = async (updater: BackgroundUpdater<never>, reason: RegExp) => {
    await expect(updater.runToCompletion()).rejects.toThrow(reason)
    expect((await updater.databaseStatus()).updates[0]).toMatchObject({
      state: 'paused',
      failures: 0,
      waiting: { code: 'paused', text: expect.stringMatching(/^paused by evenkeel: /) as unknown },
    })
  }

  const left = async (db: EitherDatabase) => (await db.query('SELECT id FROM t WHERE value IS NULL')).rows.length

  it.each(UPDATES)('pauses %s with the reason; when the column is back, resume goes on', async (_, update) => {
    const { db, updater } = await begun(update())
    await db.query('ALTER TABLE t RENAME COLUMN value TO gone')
    await paused(updater, /value/)
    await updater.resume('fill')
    await paused(updater, /value/)
    await db.query('ALTER TABLE t RENAME COLUMN gone TO value')
    await updater.resume('fill')
    await updater.runToCompletion()
    expect(await left(db)).toBe(0)
  })

  it.each(UPDATES)('pauses %s when the table is gone', async (_, update) => {
    const { db, updater } = await begun(update())
    await db.query('ALTER TABLE t RENAME TO gone')
    await paused(updater, /\bt\b/)
    await db.query('ALTER TABLE gone RENAME TO t')
    await updater.resume('fill')
    await updater.runToCompletion()
    expect(await left(db)).toBe(0)
  })

  it('is a failure in strict mode', async () => {
    const db = await context.fresh()
    const update = backfill({ name: 'fill', table: 't', set: { value: '1' } }) as never
    const updater = new BackgroundUpdater<never>({
      database: db.database,
      updates: [update],
      onFailure: 'abort',
      tuner: batchesOf(7),
      logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue('fill')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'UPDATER_ABORTED' })
  })
})
