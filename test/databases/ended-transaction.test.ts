import type BetterSqlite3 from 'better-sqlite3'
import type { BatchContext } from 'evenkeel'
import type { PoolClient } from 'pg'
import { expect, it } from 'vitest'
import { installed, memoryLogger, update } from '../engine/support.js'
import { describeDatabases } from '../support/databases.js'

interface Handle {
  readonly query: BatchContext<unknown, never>['query']
  /** On `tx` itself, where Evenkeel doesn't see it: as an ORM does that `tx` was given to. */
  readonly onTx: (text: string) => Promise<void>
}

describeDatabases('a batch whose handler ended the transaction itself', ({ dialect, fresh }) => {
  /** Runs one batch of an update; what its status and its log say, and what is in the table. */
  const runOne = async (handler: (handle: Handle) => Promise<unknown>) => {
    const database = await fresh()
    await database.query('CREATE TABLE t (n INTEGER)')
    const logger = memoryLogger()
    const walk = update('x', ({ query, tx }) =>
      handler({
        query,
        onTx: async (text) => {
          if (dialect === 'postgres') await (tx as PoolClient).query(text)
          else (tx as BetterSqlite3.Database).exec(text)
        },
      }),
    )
    const updater = await installed(database, { updates: [walk], logger })
    await updater.enqueue('x')
    await updater.runNextBatch()
    const [status] = (await updater.databaseStatus()).updates
    const { rows } = await database.query<{ n: number }>('SELECT n FROM t ORDER BY n')
    return { status, numbers: rows.map(({ n }) => n), log: logger.texts('error') }
  }
  const DONE = { items: 1, done: true }

  it.each(['COMMIT', 'END', 'ROLLBACK'])('fails at once and says what %s has done', async (ending) => {
    const { status, numbers, log } = await runOne(async ({ query }) => {
      await query('INSERT INTO t (n) VALUES (5)')
      await query(ending)
      return DONE
    })
    expect(numbers).toEqual(ending === 'ROLLBACK' ? [] : [5])
    expect(status).toMatchObject({ state: 'failed', failures: 1, batches: 0 })
    const done = ending === 'ROLLBACK' ? 'rolled back' : 'committed, without the progress of its batch'
    expect(log).toEqual([
      `batch failed: the transaction was ended inside it, by a statement of its own: what it had written is ${done}`,
    ])
    expect(status?.lastError).toContain('Leave COMMIT and ROLLBACK to Evenkeel')
  })

  it('on tx: runs no statement outside of it, whatever the handler makes of the error', async () => {
    const { status, numbers, log } = await runOne(async ({ query, onTx }) => {
      await onTx('INSERT INTO t (n) VALUES (5); COMMIT')
      await query('INSERT INTO t (n) VALUES (6)').catch(() => {})
      return DONE
    })
    expect(numbers).toEqual([5])
    expect(status).toMatchObject({ state: 'failed', batches: 0 })
    expect(log[0]).toContain('ended inside it, on `tx`')
  })

  it('saves no progress of what was rolled back on tx', async () => {
    const { status, numbers } = await runOne(async ({ onTx }) => {
      await onTx('INSERT INTO t (n) VALUES (5); ROLLBACK')
      return DONE
    })
    expect(numbers).toEqual([])
    expect(status).toMatchObject({ state: 'failed', batches: 0 })
  })

  it('tells what it failed with afterwards, and is not tried again', async () => {
    const { log, status } = await runOne(async ({ onTx }) => {
      await onTx('INSERT INTO t (n) VALUES (5); COMMIT')
      throw new Error('the batch fails')
    })
    expect(status).toMatchObject({ state: 'failed' })
    expect(log[0]).toMatch(/ended inside it, on `tx`.*; then it failed: the batch fails$/)
  })

  it('goes on behind a savepoint that was rolled back', async () => {
    const { status, numbers } = await runOne(async ({ query }) => {
      await query('SAVEPOINT s')
      await query('SELECT * FROM no_such_table').catch(() => {})
      await query('ROLLBACK TO SAVEPOINT s')
      await query('INSERT INTO t (n) VALUES (5)')
      return DONE
    })
    expect(numbers).toEqual([5])
    expect(status).toBeUndefined()
  })
})
