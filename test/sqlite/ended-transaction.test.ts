import BetterSqlite3, { type Database as Handle } from 'better-sqlite3'
import { TransactionRolledBackError, type BatchContext, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { installed, memoryLogger, update } from '../engine/support.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

const TABLE = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE ON CONFLICT ROLLBACK);
  INSERT INTO t (n) VALUES (1)`

type Batch = (context: BatchContext<Handle, Record<string, never>>) => unknown

function openFile() {
  const file = temporaryDatabaseFile()
  const raw = new BetterSqlite3(file)
  onTestFinished(() => void raw.close())
  raw.pragma('journal_mode = WAL')
  raw.exec(TABLE)
  const database = fromBetterSqlite3<Handle>(file)
  onTestFinished(() => database.close())
  return { database, numbers: () => raw.prepare('SELECT n FROM t ORDER BY n').pluck().all() }
}

/** Runs one batch of an update; what its status and its log say, and what is in the table. */
async function runOne(batch: Batch) {
  const { database, numbers } = openFile()
  const logger = memoryLogger()
  const updates = [update('x', batch)]
  const updater = await installed({ database: database as unknown as Database<never> }, { updates, logger })
  await updater.enqueue('x')
  await updater.runNextBatch()
  const [status] = (await updater.databaseStatus()).updates
  return { status, numbers: numbers(), log: logger.texts('error') }
}

async function insertEach(numbers: number[], insert: (n: number) => unknown): Promise<void> {
  for (const n of numbers) {
    try {
      await insert(n)
    } catch {
      // As a careless handler does it.
    }
  }
}

describe('a batch whose transaction the database itself rolled back', () => {
  const reason = 'UNIQUE constraint failed: t.n, and the database rolled the whole transaction back'

  it('is no success when its handler swallowed the error, and leaves nothing behind', async () => {
    const { status, numbers, log } = await runOne(async ({ query }) => {
      await insertEach([5, 1, 6], (n) => query('INSERT INTO t (n) VALUES ($1)', [n]))
      return { items: 3, done: true }
    })
    expect(numbers).toEqual([1])
    expect(status).toMatchObject({ failures: 1, batches: 0 })
    expect(status?.lastError).toContain(reason)
    expect(log).toEqual([`batch failed: ${reason}`])
  })

  it('leaves nothing behind when its handler throws an error of its own afterwards', async () => {
    const { status, numbers } = await runOne(async ({ query }) => {
      await insertEach([1, 7], (n) => query('INSERT INTO t (n) VALUES ($1)', [n]))
      throw new Error('the batch fails')
    })
    expect(numbers).toEqual([1])
    expect(status).toMatchObject({ failures: 1, lastError: 'the batch fails' })
  })

  it('tells the error of the statement, whether it went through query or tx', async () => {
    const insert = 'INSERT INTO t (n) VALUES (1)'
    const throughQuery = await runOne(({ query }) => query(insert))
    expect(throughQuery.status?.lastError).toContain(reason)
    const throughTx = await runOne(async ({ tx }) => tx.prepare(insert).run())
    expect(throughTx.status?.lastError).toContain(reason)
    expect(throughTx.status).toMatchObject({ state: 'queued', failures: 1 })
  })

  it('is found out at its end when the error was swallowed on tx', async () => {
    const { status, log } = await runOne(async ({ tx }) => {
      await insertEach([5, 1], (n) => tx.prepare('INSERT INTO t (n) VALUES (?)').run(n))
      return { items: 2, done: true }
    })
    expect(status).toMatchObject({ state: 'failed', batches: 0 })
    expect(log[0]).toContain('ended inside it, on `tx`')
  })

  it('is found out for a trigger with RAISE(ROLLBACK), too', async () => {
    const { status, numbers } = await runOne(async ({ query, tx }) => {
      tx.exec(`CREATE TEMP TRIGGER no_seven BEFORE INSERT ON t WHEN new.n = 7 BEGIN
        SELECT RAISE(ROLLBACK, 'no sevens');
      END`)
      await insertEach([6, 7, 8], (n) => query('INSERT INTO t (n) VALUES ($1)', [n]))
      return { items: 3, done: true }
    })
    expect(numbers).toEqual([1])
    expect(status?.lastError).toContain('no sevens, and the database rolled the whole transaction back')
  })
})

describe('fromBetterSqlite3', () => {
  it('gives the same error for every statement behind the rollback, with its cause', async () => {
    const { database, numbers } = openFile()
    const errors: unknown[] = []
    const note = (error: unknown) => void errors.push(error)
    const work = database.transaction(async (tx) => {
      await database.query(tx, 'INSERT INTO t (n) VALUES (1)').catch(note)
      await database.query(tx, 'INSERT INTO t (n) VALUES (2)').catch(note)
      await database.session(({ query }) => query('INSERT INTO t (n) VALUES (3)')).catch(note)
    })
    await work.catch(note)
    expect(errors).toHaveLength(4)
    expect(new Set(errors).size).toBe(1)
    expect(errors[0]).toBeInstanceOf(TransactionRolledBackError)
    expect(errors[0]).toMatchObject({ cause: { code: 'SQLITE_CONSTRAINT_UNIQUE' } })
    expect(numbers()).toEqual([1])
  })

  it('leaves the error of a COMMIT that can be rolled back as it is', async () => {
    const { database, numbers } = openFile()
    const work = database.transaction(async (tx) => {
      tx.exec('CREATE TABLE child (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)')
      await database.query(tx, 'INSERT INTO child VALUES (99)')
      await database.query(tx, 'INSERT INTO t (n) VALUES (2)')
    })
    await expect(work).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
    expect(numbers()).toEqual([1])
  })
})
