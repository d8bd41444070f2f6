import { expect, it, onTestFinished } from 'vitest'
import { BackgroundUpdater, NotInstalledError, UnsupportedError, type Database, type Query } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { addConstraint } from '../../src/updates/constraints/add-constraint.js'
import { check, foreignKey, type Constraint } from '../../src/updates/constraints/constraint.js'
import { ConstraintViolationsError } from '../../src/updates/constraints/errors.js'
import { setNotNull } from '../../src/updates/constraints/set-not-null.js'
import { validateConstraint } from '../../src/updates/constraints/validate-constraint.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

async function shop({ install = true } = {}) {
  const database = fromBetterSqlite3(temporaryDatabaseFile())
  onTestFinished(() => database.close())
  const query: Query = (text, values) => database.session((session) => session.query(text, values))
  await query('CREATE TABLE users (id INTEGER PRIMARY KEY)')
  await query('CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INT, title TEXT)')
  await query('INSERT INTO users VALUES (1), (2)')
  await query(`INSERT INTO posts VALUES (1, 1, 'a'), (2, 2, 'b'), (3, NULL, 'c')`)
  const updater = new BackgroundUpdater({ database, updates: [] })
  if (install) await updater.install()
  const add = (constraint: Constraint, options: object = {}) =>
    addConstraint(database as unknown as Database, {
      constraintName: 'posts_c',
      table: 'posts',
      constraint,
      update: 'validate',
      ...options,
    })
  const outcomes = async () => (await query('SELECT update_name, outcome FROM background_update_history')).rows
  return { database, updater, query, add, outcomes }
}

const author = foreignKey({ columns: { author_id: 'id' }, references: 'users' })

it('adds the constraint at once, and records once that nothing is left to validate', async () => {
  const { add, outcomes, updater, query } = await shop()
  expect(await add(author)).toEqual({ constraint: 'added', update: 'not applicable' })
  expect(await add(author)).toEqual({ constraint: 'exists', update: 'finished' })
  expect(await outcomes()).toEqual([{ update_name: 'validate', outcome: 'not applicable' }])
  expect(await updater.hasCompleted('validate')).toBe(true)
  const keys = (await query(`SELECT "from", "to", "table" FROM pragma_foreign_key_list('posts')`)).rows
  expect(keys).toEqual([{ from: 'author_id', to: 'id', table: 'users' }])
})

it('finishes a row that was enqueued by hand', async () => {
  const { add, outcomes, query } = await shop()
  await query(`INSERT INTO background_updates (update_name) VALUES ('validate')`)
  await add(check('id > 0'))
  expect(await outcomes()).toEqual([{ update_name: 'validate', outcome: 'not applicable' }])
  expect((await query('SELECT * FROM background_updates')).rows).toEqual([])
})

it('refuses a transaction with the reason', async () => {
  const { add } = await shop()
  const error: unknown = await add(author, { tx: {} }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(UnsupportedError)
  expect((error as UnsupportedError).hint).toMatch(/foreign keys.*can't be switched off inside a transaction/)
})

it('changes nothing when rows violate it, nor without an installation', async () => {
  const { add, query, outcomes } = await shop()
  await query('INSERT INTO posts VALUES (4, 99, NULL)')
  await expect(add(author)).rejects.toThrow(ConstraintViolationsError)
  expect(await outcomes()).toEqual([])
  await expect(add(author, { onViolation: 'delete' })).rejects.toThrow(/maxViolations is needed/)
  await expect(add(author, { onViolation: 'delete', maxViolations: 0 })).rejects.toThrow(ConstraintViolationsError)
  await expect(add(author, { onViolation: 'delete', maxViolations: 'unlimited' })).resolves.toMatchObject({
    update: 'not applicable',
  })
  const other = await shop({ install: false })
  await expect(other.add(author)).rejects.toThrow(NotInstalledError)
})

it('sets NOT NULL through the updater', async () => {
  const { database, query } = await shop()
  const required = setNotNull({ name: 'required', table: 'posts', column: 'title' })
  const updater = new BackgroundUpdater({ database, updates: [required] })
  await updater.enqueue(required)
  await updater.runToCompletion()
  await updater.stop()
  await expect(query('INSERT INTO posts VALUES (9, 1, NULL)')).rejects.toThrow(/NOT NULL/)
  expect((await query('SELECT count(*) AS n FROM posts')).rows).toEqual([{ n: 3 }])
})

it('names the backfill as remedy of NULLs, which no repair could fill', async () => {
  const { database, query } = await shop()
  await query('INSERT INTO posts VALUES (9, 1, NULL)')
  const required = setNotNull({ name: 'required', table: 'posts', column: 'title' })
  const updater = new BackgroundUpdater({ database, updates: [required] })
  const failed = new Promise<Error>((resolve) => updater.once('update:fail', ({ error }) => resolve(error)))
  await updater.enqueue(required)
  await updater.runNextBatch()
  expect(await failed).toMatchObject({
    code: 'CONSTRAINT_VIOLATIONS',
    hint: 'Fill "title" in these rows, by a `backfill` that this update depends on; then try again. Nothing was changed.',
  })
  await updater.stop()
})

it('doesn’t run a validation on SQLite', async () => {
  const { database } = await shop()
  const update = validateConstraint({ name: 'validate', table: 'posts', constraintName: 'posts_c' })
  const updater = new BackgroundUpdater({ database, updates: [update] })
  await expect(updater.start()).rejects.toThrow(UnsupportedError)
  await updater.stop()
})
