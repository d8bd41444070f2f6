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
    await pool.query(`CREATE TABLE wide AS SELECT n AS id, n AS size FROM generate_series(1, 300000) AS n`)
    await pool.query(`ALTER TABLE wide ADD PRIMARY KEY (id), ADD CONSTRAINT sized CHECK (size > 0) NOT VALID`)
    const update = validateConstraintAndRepair({
      name: 'validate_sized',
      table: 'wide',
      constraintName: 'sized',
      constraint: check('size > 0'),
      onViolation: 'delete',
      targetMs: 1,
      deadline: 1,
      maxAttempts: 1,
    })
    const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update], logger: silent })
    await updater.install()
    await updater.enqueue(update)
    await updater.runToCompletion()
    const { rows } = await pool.query(`SELECT convalidated FROM pg_constraint WHERE conname = 'sized'`)
    expect(rows).toEqual([{ convalidated: true }])
    await updater.stop()
  })
})

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
