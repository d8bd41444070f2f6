import { backfill, defineUpdate, DefinitionChangedError, UpdateFailedError, type UpdaterEvents } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

const NUMBERS = 'WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20)'

async function table(db: EitherDatabase): Promise<void> {
  await db.query('CREATE TABLE t (id INTEGER PRIMARY KEY, other INTEGER NOT NULL UNIQUE, value INTEGER)')
  await db.query(`INSERT INTO t (id, other) ${NUMBERS} SELECT i, 100 - i FROM n`)
}

const fill = (value: string, options: object = {}) =>
  backfill({ name: 'fill', table: 't', set: { value }, ...options }) as never

async function values(db: EitherDatabase): Promise<(number | null)[]> {
  const { rows } = await db.query<{ value: number | null }>('SELECT value FROM t ORDER BY id')
  return rows.map((row) => row.value)
}

async function rowOf(updater: { databaseStatus(): Promise<{ updates: readonly object[] }> }) {
  return (await updater.databaseStatus()).updates[0]
}

describeDatabases('a definition that changed in mid-work', (context) => {
  /** One batch of seven rows by the first definition, and then another process with the second. */
  const changed = async (second: ReturnType<typeof fill>) => {
    const db = await context.fresh()
    await table(db)
    const first = await queued(db, fill('1'), [7])
    await first.runNextBatch()
    await first.stop()
    return { db, updater: updaterOf(db.database, second, [7]) }
  }

  it('is not run, but paused until a person accepts it; then it goes on where it was', async () => {
    const { db, updater } = await changed(fill('2'))
    const events: UpdaterEvents['update:pause'][] = []
    updater.on('update:pause', (event) => events.push(event))
    await expect(updater.runToCompletion()).rejects.toThrow(
      /paused by evenkeel: .*1 batches were done.*--accept-changes/,
    )
    expect(await values(db)).toEqual([...Array<number>(7).fill(1), ...Array<null>(13).fill(null)])
    expect(events).toMatchObject([
      { updateName: 'fill', by: 'evenkeel', error: expect.any(DefinitionChangedError) as unknown },
    ])
    expect(await rowOf(updater)).toMatchObject({ state: 'paused', failures: 0, waiting: { code: 'paused' } })
    expect((await updater.databaseStatus()).status).toBe('ABORTED')
    await expect(updater.waitFor('fill')).rejects.toThrow(UpdateFailedError)

    await updater.resume('fill')
    await expect(updater.runToCompletion()).rejects.toThrow(/definition of update "fill" changed/)

    await updater.resume('fill', { acceptChanges: true })
    await updater.runToCompletion()
    expect(await values(db)).toEqual([...Array<number>(7).fill(1), ...Array<number>(13).fill(2)])
  })

  it('may be accepted beforehand, for one definition only', async () => {
    const { updater, db } = await changed(fill('2'))
    await updater.resume('fill', { acceptChanges: true })
    const third = updaterOf(db.database, fill('3'), [7])
    await expect(third.runToCompletion()).rejects.toThrow(/definition of update "fill" changed/)
    await updater.resume('fill', { acceptChanges: true })
    await updater.runToCompletion()
    expect((await values(db)).at(-1)).toBe(2)
  })

  it('may be accepted by a process that doesn’t know it: then the next definition counts', async () => {
    const { updater, db } = await changed(fill('2'))
    const outsider = updaterOf(db.database, defineUpdate({ name: 'else', batch: async () => ({ items: 0 }) }))
    await outsider.resume('fill', { acceptChanges: true })
    await updater.runToCompletion()
    expect((await values(db)).at(-1)).toBe(2)
  })

  it('may be accepted with a retry', async () => {
    const { updater } = await changed(fill('2'))
    await updater.retry('fill', { acceptChanges: true })
    await updater.runToCompletion()
  })

  it('runs when nothing but its pace and its limits changed', async () => {
    const { updater, db } = await changed(fill('1', { targetMs: 5, maxAttempts: 2, ordering: 3, defaultBatchSize: 2 }))
    await updater.runToCompletion()
    expect(await values(db)).toEqual(Array<number>(20).fill(1))
  })

  it('runs when no batch of the earlier one was committed', async () => {
    const db = await context.fresh()
    await table(db)
    const first = await queued(db, fill('no_such_function(1)'))
    await first.runNextBatch()
    await first.stop()
    const second = updaterOf(db.database, fill('2'))
    await second.retry('fill')
    await runAll(second)
    expect((await values(db)).at(0)).toBe(2)
  })

  it('never goes on from a position of another key or another table, accepted or not', async () => {
    const { updater, db } = await changed(fill('2', { key: 'other' }))
    await updater.resume('fill', { acceptChanges: true })
    await expect(updater.runToCompletion()).rejects.toThrow(
      /walked over \w+\.t by \(id\), and is now to walk over \w+\.t by \(other\)/,
    )
    expect(await rowOf(updater)).toMatchObject({ state: 'failed' })
    expect((await values(db)).at(-1)).toBeNull()
    await updater.cancel('fill')
    await updater.enqueue('fill')
    await updater.runToCompletion()
    expect(await values(db)).toEqual(Array<number>(20).fill(2))
  })

  it('takes a position that a migration seeded for what it is', async () => {
    const db = await context.fresh()
    await table(db)
    const updater = updaterOf(db.database, fill('2'))
    await updater.install()
    const key = context.dialect === 'postgres' ? '15' : 15
    await updater.enqueue('fill', { progress: { lower: [key] } })
    await updater.runToCompletion()
    expect((await values(db)).filter((value) => value === 2)).toHaveLength(5)
  })
})
