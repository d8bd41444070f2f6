import BetterSqlite3 from 'better-sqlite3'
import { writeFileSync } from 'node:fs'
import { BackgroundUpdater, DatabaseBusyError, DatabaseFileError, type Database } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { installed, memoryLogger, noting, observed } from '../engine/support.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

const CLAIM = /SET lease_owner = \$2/

async function openBusy() {
  const file = temporaryDatabaseFile()
  const rival = new BetterSqlite3(file)
  onTestFinished(() => void rival.close())
  rival.pragma('journal_mode = WAL')
  const database = fromBetterSqlite3(file, { busyTimeoutMs: 5 }) as unknown as Database<never>
  onTestFinished(() => database.close())
  return { file, rival, database }
}

it('runToCompletion() waits for a writer who holds the file for longer than busyTimeoutMs', async () => {
  const { rival, database } = await openBusy()
  const ran: string[] = []
  const logger = memoryLogger()
  // The rival holds the lock at the claim of the lease, until the updater has said that it waits.
  const warn = logger.warn.bind(logger)
  logger.warn = (details, message) => {
    warn(details, message)
    if (rival.inTransaction) rival.exec('COMMIT')
  }
  let armed = true
  const lockAtClaim = observed(database, (text) => {
    if (armed && CLAIM.test(text)) rival.exec('BEGIN IMMEDIATE')
    armed &&= !CLAIM.test(text)
  })
  const updater = await installed({ database: lockAtClaim }, { updates: [noting(ran, 'a')], logger })
  await updater.enqueue('a')
  expect(await updater.runToCompletion()).toMatchObject({ completed: ['a'], batches: 1 })
  expect(ran).toEqual(['a'])
  expect(logger.texts('warn')).toEqual([expect.stringContaining('locked for longer than 5 ms')])
})

it('every call that finds the file busy for too long rejects with an error of ours, and works afterwards', async () => {
  const { file, rival, database } = await openBusy()
  const updater = await installed({ database }, { updates: [noting([], 'a'), noting([], 'b')] })
  await updater.enqueue('a')
  rival.exec('BEGIN IMMEDIATE')
  const calls = [
    () => updater.enqueue('b'),
    () => updater.pause('a'),
    () => updater.cancel('a'),
    () => updater.disable({ reason: 'busy' }),
    () => updater.runNextBatch(),
  ]
  for (const call of calls) {
    const error: unknown = await call().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DatabaseBusyError)
    expect(error).toMatchObject({ code: 'DATABASE_BUSY', cause: { code: 'SQLITE_BUSY' } })
    expect((error as Error).message).toContain(file)
  }
  rival.exec('COMMIT')
  await updater.enqueue('b')
  expect(await updater.runToCompletion()).toMatchObject({ completed: ['a', 'b'] })
})

describe('a file that can not be used', () => {
  it('that is no database is named', async () => {
    const file = temporaryDatabaseFile()
    writeFileSync(file, 'This is a letter, and has been one for a long time.'.repeat(100))
    const handle = new BetterSqlite3(file)
    onTestFinished(() => void handle.close())
    const updater = new BackgroundUpdater({ database: fromBetterSqlite3(handle), logger: memoryLogger() })
    const error: unknown = await updater.install().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(DatabaseFileError)
    expect(error).toMatchObject({
      message: `the database file "${file}" can't be used: file is not a database`,
      cause: { code: 'SQLITE_NOTADB' },
    })
  })

  it('that is read-only is named, with what to do', async () => {
    const file = temporaryDatabaseFile()
    new BetterSqlite3(file).exec('CREATE TABLE t (id INTEGER)').close()
    const handle = new BetterSqlite3(file, { readonly: true })
    onTestFinished(() => void handle.close())
    const database = fromBetterSqlite3(handle)
    const work = database.session(({ query }) => query('INSERT INTO t VALUES (1)'))
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_FILE', cause: { code: 'SQLITE_READONLY' } })
    await expect(work).rejects.toThrow(file)
    await expect(work).rejects.toMatchObject({ hint: expect.stringContaining('right to write') as string })
  })
})
