import { backfill, type Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import { QueueStore } from '../../src/queue/queue-store.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { countedTable, expectEachRowOnce, updaterOn } from './support.js'

const ROWS = 3_000
const NAME = 'change'

const change = (value: string) =>
  backfill<never>({ name: NAME, table: 'walked', set: { value }, defaultBatchSize: 40, maxBatchSize: 40 })

async function fingerprintIn({ pool }: TestDatabase): Promise<string | null> {
  const { rows } = await pool.query<{ fingerprint: string | null }>('SELECT fingerprint FROM background_updates')
  return rows[0]?.fingerprint ?? null
}

describePostgres('lanes of an update whose definition changed', (postgres) => {
  /** Some batches by the first definition, in lanes; the second was refused, and a process that knows neither accepts. */
  const accepted = async () => {
    const database = await postgres.freshDatabase()
    await countedTable(
      database.pool,
      'id BIGINT, value INTEGER',
      'id',
      `INSERT INTO walked (id) SELECT i FROM generate_series(1, ${ROWS}) AS i; ANALYZE walked`,
    )
    const first = updaterOn(database, { updates: [change('1')], lanes: 3 })
    await first.install()
    await first.enqueue(NAME)
    for (let batch = 0; batch < 3; batch += 1) await first.runNextBatch()
    await first.stop()
    const second = updaterOn(database, { updates: [change('2')], lanes: 3 })
    await expect(second.runToCompletion()).rejects.toThrow(/definition of update "change" changed/)
    const outsider = updaterOn(database, {})
    await outsider.resume(NAME, { acceptChanges: true })
    return { database, second, outsider }
  }

  it('go on with whichever definition runs next, when a process accepts it that knows none', async () => {
    const { database, second } = await accepted()
    await second.runToCompletion()
    await expectEachRowOnce(database.pool)
    expect((await second.history())[0]).toMatchObject({ outcome: 'completed', items: ROWS })
    const { rows } = await database.pool.query('SELECT value FROM walked WHERE id = $1', [ROWS])
    expect(rows).toEqual([{ value: 2 }])
  })

  it('go on with a retry that accepts it, too', async () => {
    const { second, outsider } = await accepted()
    await outsider.retry(NAME, { acceptChanges: true })
    await second.runToCompletion()
  })

  it('are of that definition from then on: another one is refused as before', async () => {
    const { database, second } = await accepted()
    expect(await fingerprintIn(database)).toBeNull()
    await second.runNextBatch()
    expect(await fingerprintIn(database)).toBe(change('2').fingerprint)
    const third = updaterOn(database, { updates: [change('3')], lanes: 3 })
    await expect(third.runToCompletion()).rejects.toThrow(/definition of update "change" changed/)
    expect(await fingerprintIn(database)).toBe(change('2').fingerprint)
  })

  it('agree on one definition when runners with different ones take them at the same time', async () => {
    const { database } = await accepted()
    const store = new QueueStore(fromPg(database.openPool({ max: 12 })) as unknown as Database<never>)
    const claimed = await Promise.all(
      ['a', 'b', 'c'].map((fingerprint) => {
        const lease = { updateName: NAME, owner: `runner ${fingerprint}`, token: `of ${fingerprint}`, lane: null }
        return store.lanes.claim(lease, 3_600_000, fingerprint)
      }),
    )
    const agreed = await fingerprintIn(database)
    expect(['a', 'b', 'c']).toContain(agreed)
    expect(new Set(claimed.map((lane) => lane?.fingerprint))).toEqual(new Set([agreed]))
  })
})
