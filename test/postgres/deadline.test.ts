import { BackgroundUpdater, check, defineUpdate, validateConstraintAndRepair } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/postgres.js'

describePostgres('deadline of a batch', (postgres) => {
  it('cancels the batch in the server, rolls it back and goes on with a tenth of the size', async () => {
    const { pool } = await postgres.freshDatabase()
    const sizes: number[] = []
    const update = defineUpdate({
      name: 'slow_at_first',
      defaultBatchSize: 500,
      targetMs: 20,
      deadline: 2,
      async batch({ query, batchSize }) {
        sizes.push(batchSize)
        await query('CREATE TABLE IF NOT EXISTS batches (size INTEGER)')
        await query('INSERT INTO batches VALUES ($1)', [batchSize])
        if (sizes.length === 1) await query('SELECT pg_sleep(600)')
        return { items: batchSize, done: true }
      },
    })
    const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update], logger: silent })
    await updater.install()
    await updater.enqueue(update)
    await updater.runNextBatch()
    const { updates } = await updater.databaseStatus()
    expect(updates[0]).toMatchObject({
      failures: 1,
      batches: 0,
      lastError: expect.stringContaining('deadline of 40 ms') as string,
    })
    await updater.runToCompletion()
    expect(sizes).toEqual([500, 50])
    expect((await pool.query('SELECT size FROM batches')).rows).toEqual([{ size: 50 }])
    await updater.stop()
  })

  it('lets the VALIDATE of validateConstraintAndRepair take as long as it takes', async () => {
    const { pool } = await postgres.freshDatabase()
    // Checked for every row: VALIDATE takes longer than the deadline, and nothing else does.
    await pool.query(`CREATE TABLE wide AS SELECT n AS id FROM generate_series(1, 6) AS n`)
    await pool.query(
      `ALTER TABLE wide ADD PRIMARY KEY (id), ADD CONSTRAINT slow CHECK (pg_sleep(0.25) IS NOT NULL) NOT VALID`,
    )
    const update = validateConstraintAndRepair({
      name: 'validate_slow',
      table: 'wide',
      constraintName: 'slow',
      constraint: check('pg_sleep(0.25) IS NOT NULL'),
      onViolation: 'delete',
      maxViolations: 'unlimited',
      targetMs: 1_000,
      deadline: 1,
      maxAttempts: 1,
    })
    const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update], logger: silent })
    await updater.install()
    await updater.enqueue(update)
    await updater.runToCompletion()
    const { rows } = await pool.query(`SELECT convalidated FROM pg_constraint WHERE conname = 'slow'`)
    expect(rows).toEqual([{ convalidated: true }])
    await updater.stop()
  })
})

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
