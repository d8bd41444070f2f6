import { expect, it } from 'vitest'
import { describeDatabases } from '../support/databases.js'
import { installed, jumpingClock, memoryLogger, noting, update } from './support.js'

describeDatabases('enqueue', ({ fresh, dialect }) => {
  it('a name that is queued already is a typed error, or ignored on request', async () => {
    const updater = await installed(await fresh(), { updates: [noting([], 'a')] })
    expect(await updater.enqueue('a', { progress: { first: true } })).toBe(true)
    await expect(updater.enqueue('a')).rejects.toMatchObject({ code: 'ALREADY_QUEUED' })
    expect(await updater.enqueue('a', { ifExists: 'ignore', progress: { second: true } })).toBe(false)
    expect((await updater.databaseStatus()).updates).toMatchObject([{ progress: { first: true } }])
  })

  it('joins the caller’s transaction: with it the row comes, or does not', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE migrations (name TEXT)')
    const updater = await installed(database, { updates: [noting([], 'a')] })
    const rolledBack = database.database.transaction(async (tx) => {
      await database.database.query(tx, "INSERT INTO migrations VALUES ('m1')")
      await updater.enqueue('a', { tx })
      throw new Error('the migration failed')
    })
    await expect(rolledBack).rejects.toThrow('the migration failed')
    expect(await updater.hasCompleted('a')).toBe(true)
    await database.database.transaction(async (tx) => {
      await database.database.query(tx, "INSERT INTO migrations VALUES ('m1')")
      await updater.enqueue('a', { tx })
      // A second time doesn't break the transaction of PostgreSQL.
      await expect(updater.enqueue('a', { tx })).rejects.toMatchObject({ code: 'ALREADY_QUEUED' })
      if (dialect === 'postgres') expect(await updater.hasCompleted('a')).toBe(true)
    })
    expect(await updater.hasCompleted('a')).toBe(false)
    expect((await database.query('SELECT name FROM migrations')).rows).toEqual([{ name: 'm1' }])
  })

  it('a name that nobody has a handler for is queued with a warning and a suggestion', async () => {
    const logger = memoryLogger()
    const updater = await installed(await fresh(), { updates: [noting([], 'lowercase_emails')], logger })
    await updater.enqueue('lowercase_email')
    expect(logger.texts('warn')).toEqual([expect.stringContaining('did you mean "lowercase_emails"?')])
    expect((await updater.databaseStatus()).updates).toMatchObject([
      { name: 'lowercase_email', waiting: { code: 'no_handler' } },
    ])
  })

  it('inside a batch takes the batch’s own tx', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    const ran: string[] = []
    const parent = update('parent', async ({ tx }) => {
      await updater.enqueue('child', { tx })
      if (ran.push('parent') === 1) throw new Error('after enqueuing')
      return { items: 1, done: true }
    })
    const updater = await installed(database, { updates: [parent, noting(ran, 'child')], clock })
    await updater.enqueue(parent)
    await updater.runNextBatch()
    expect(await updater.hasCompleted('child')).toBe(true)
    await updater.runToCompletion()
    expect(ran).toEqual(['parent', 'parent', 'child'])
  })
})
