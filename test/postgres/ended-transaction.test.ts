import type { BatchContext, Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import type { PoolClient } from 'pg'
import { expect, it } from 'vitest'
import { installed, memoryLogger, update } from '../engine/support.js'
import { describePostgres } from '../support/postgres.js'

type Batch = (context: BatchContext<PoolClient, Record<string, never>>) => unknown

describePostgres('a batch whose handler ended the transaction itself', (postgres) => {
  /** Runs one batch of an update; what its status and its log say, and what is in the table. */
  const runOne = async (batch: Batch) => {
    const { pool } = await postgres.freshDatabase()
    await pool.query('CREATE TABLE t (n INTEGER)')
    const logger = memoryLogger()
    const updates = [update('x', batch)]
    const updater = await installed({ database: fromPg(pool) as unknown as Database<never> }, { updates, logger })
    await updater.enqueue('x')
    await updater.runNextBatch()
    const [status] = (await updater.databaseStatus()).updates
    const { rows } = await pool.query<{ n: number }>('SELECT n FROM t ORDER BY n')
    return { status, numbers: rows.map(({ n }) => n), log: logger.texts('error') }
  }

  it.each(['COMMIT', 'END', 'ROLLBACK'])('fails at once and says what %s has done', async (ending) => {
    const { status, numbers, log } = await runOne(async ({ query }) => {
      await query('INSERT INTO t (n) VALUES (5)')
      await query(ending)
      return { items: 1, done: true }
    })
    expect(numbers).toEqual(ending === 'ROLLBACK' ? [] : [5])
    expect(status).toMatchObject({ state: 'failed', failures: 1, batches: 0 })
    const done = ending === 'ROLLBACK' ? 'rolled back' : 'committed, without the progress of its batch'
    expect(log).toEqual([
      `batch failed: the transaction was ended inside it, by a statement of its own: what it had written is ${done}`,
    ])
    expect(status?.lastError).toContain('Leave COMMIT and ROLLBACK to Evenkeel')
  })

  it('on tx, as an ORM does: runs no statement outside of it, whatever the handler makes of the error', async () => {
    const { status, numbers, log } = await runOne(async ({ query, tx }) => {
      await tx.query('BEGIN')
      await tx.query('INSERT INTO t (n) VALUES (5)')
      await tx.query('COMMIT')
      await query('INSERT INTO t (n) VALUES (6)').catch(() => {})
      return { items: 1, done: true }
    })
    expect(numbers).toEqual([5])
    expect(status).toMatchObject({ state: 'failed', batches: 0 })
    expect(log[0]).toContain('ended inside it, on `tx`')
  })

  it('saves no progress of what was rolled back on tx', async () => {
    const { status, numbers } = await runOne(async ({ tx }) => {
      await tx.query('INSERT INTO t (n) VALUES (5)')
      await tx.query('ROLLBACK')
      return { items: 1, done: true }
    })
    expect(numbers).toEqual([])
    expect(status).toMatchObject({ state: 'failed', batches: 0 })
  })

  it('tells what it failed with afterwards, and is not tried again', async () => {
    const { log, status } = await runOne(async ({ tx }) => {
      await tx.query('INSERT INTO t (n) VALUES (5)')
      await tx.query('COMMIT')
      throw new Error('the batch fails')
    })
    expect(status).toMatchObject({ state: 'failed' })
    expect(log[0]).toMatch(/ended inside it, on `tx`.*; then it failed: the batch fails$/)
  })

  it('goes on behind a savepoint that was rolled back', async () => {
    const { status, numbers } = await runOne(async ({ query }) => {
      await query('SAVEPOINT s')
      await query('SELECT 1 / 0').catch(() => {})
      await query('ROLLBACK TO SAVEPOINT s')
      await query('INSERT INTO t (n) VALUES (5)')
      return { items: 1, done: true }
    })
    expect(numbers).toEqual([5])
    expect(status).toBeUndefined()
  })
})
