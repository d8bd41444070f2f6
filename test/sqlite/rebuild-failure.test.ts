import { isDeepStrictEqual } from 'node:util'
import Sqlite from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Database, Query } from '../../src/databases/database.js'
import { foreignKey, notNull } from '../../src/updates/constraints/constraint.js'
import {
  addConstraintBySqliteRebuild,
  addConstraintOnSqliteSession,
  type SqliteRebuildRequest,
} from '../../src/updates/constraints/sqlite-rebuild/add-constraint.js'
import {
  ForeignKeysStillOnError,
  PragmaNotRestoredError,
  RebuildInsideTransactionError,
} from '../../src/updates/constraints/sqlite-rebuild/errors.js'
import { contentOf, openRebuildFixture } from './rebuild-fixture.js'

const FAMILY = `
  CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, favourite INT);
  CREATE INDEX parents_name ON parents (name);
  CREATE TABLE children (id INTEGER PRIMARY KEY, parent INT REFERENCES parents ON DELETE CASCADE);
  CREATE TABLE lost (id INT, name TEXT, favourite INT);
  CREATE VIEW names AS SELECT name FROM parents;
  CREATE TRIGGER parents_gone AFTER DELETE ON parents BEGIN INSERT INTO children (parent) VALUES (NULL); END;
  INSERT INTO parents VALUES (1, 'a', 10), (2, 'b', 99), (3, 'c', NULL);
  INSERT INTO children VALUES (10, 1), (11, 1), (12, 3);
  ANALYZE`

const REQUEST: SqliteRebuildRequest = {
  constraintName: 'favourite_child',
  table: 'parents',
  constraint: foreignKey({ columns: { favourite: 'id' }, references: 'children' }),
  onViolation: 'delete',
  keepIn: 'lost',
}

describe('a rebuild that is interrupted', () => {
  class Interrupted extends Error {}

  /** Throws once, before or after the statement of this number has run; counts what it was given. */
  function interruptedAt(query: Query, place: number, moment: 'before' | 'after') {
    const seen: string[] = []
    const interrupted: Query = async (text, values) => {
      seen.push(text)
      if (seen.length === place && moment === 'before') throw new Interrupted(text)
      const result = await query<never>(text, values)
      if (seen.length === place) throw new Interrupted(text)
      return result
    }
    return { interrupted, seen }
  }

  async function attempt(
    database: Database,
    place: number,
    moment: 'before' | 'after',
  ): Promise<'finished' | 'recovered' | 'thrown'> {
    return database.session(async (session) => {
      const { interrupted, seen } = interruptedAt(session.query, place, moment)
      try {
        await addConstraintOnSqliteSession(interrupted, REQUEST)
      } catch (error) {
        const root = error instanceof Error && error.cause !== undefined ? error.cause : error
        expect(root).toBeInstanceOf(Interrupted)
        return 'thrown'
      } finally {
        expect((await session.query('PRAGMA foreign_keys')).rows).toEqual([{ foreign_keys: 1 }])
        expect((await session.query('PRAGMA legacy_alter_table')).rows).toEqual([{ legacy_alter_table: 0 }])
        // Refused when a transaction is open still.
        await session.query('BEGIN IMMEDIATE')
        await session.query('ROLLBACK')
      }
      // Setting a pragma back is tried twice.
      return seen.length < place ? 'finished' : 'recovered'
    })
  }

  it.each(['before', 'after'] as const)('%s any statement has changed everything or nothing', async (moment) => {
    const { raw } = openRebuildFixture(FAMILY)
    const image = raw.serialize()
    const before = contentOf(raw)
    const whole = openRebuildFixture(FAMILY)
    await addConstraintBySqliteRebuild(whole.database, REQUEST)
    const after = contentOf(whole.raw)
    expect(after).not.toEqual(before)

    let unchanged = 0
    let changed = 0
    for (let place = 1; ; place += 1) {
      const handle = new Sqlite(image)
      const database = fromBetterSqlite3(handle)
      const outcome = await attempt(database, place, moment)
      const content = contentOf(handle)
      handle.close()
      if (isDeepStrictEqual(content, before)) unchanged += 1
      else {
        expect(content).toEqual(after)
        changed += 1
      }
      if (outcome === 'finished') break
    }
    expect(unchanged).toBeGreaterThan(25)
    expect(changed).toBeGreaterThan(0)
  })
})

describe('foreign keys', () => {
  const constraint = notNull('name')
  const request = {
    constraintName: 'added',
    table: 'parents',
    constraint,
    onViolation: 'report',
    method: 'rebuild',
  } as const

  it.each([0, 1])('and legacy_alter_table are afterwards what they were: %i', async (value) => {
    const { database } = openRebuildFixture(FAMILY)
    await database.session(async ({ query }) => {
      const pragmas = async () => [
        ...(await query('PRAGMA foreign_keys')).rows,
        ...(await query('PRAGMA legacy_alter_table')).rows,
      ]
      await query(`PRAGMA foreign_keys = ${value}`)
      await query(`PRAGMA legacy_alter_table = ${value}`)
      await addConstraintOnSqliteSession(query, request)
      expect(await pragmas()).toEqual([{ foreign_keys: value }, { legacy_alter_table: value }])
      await expect(addConstraintOnSqliteSession(query, { ...request, table: 'names' })).rejects.toThrow('it is a view')
      expect(await pragmas()).toEqual([{ foreign_keys: value }, { legacy_alter_table: value }])
    })
  })

  it('that stay on stop the rebuild before anything is changed', async () => {
    const { raw, database } = openRebuildFixture(FAMILY)
    const before = contentOf(raw)
    const ignoring =
      (query: Query): Query =>
      (text, values) =>
        query(text === 'PRAGMA foreign_keys = OFF' ? 'SELECT 1' : text, values)
    await expect(
      database.session(({ query }) => addConstraintOnSqliteSession(ignoring(query), request)),
    ).rejects.toThrow(ForeignKeysStillOnError)
    expect(contentOf(raw)).toEqual(before)
  })

  it('can’t be switched off in a transaction, which is refused', async () => {
    const { raw, database } = openRebuildFixture(FAMILY)
    const before = contentOf(raw)
    await expect(database.transaction(() => addConstraintBySqliteRebuild(database, request))).rejects.toThrow(
      ForeignKeysStillOnError,
    )
    expect(contentOf(raw)).toEqual(before)
  })

  it('that are off already: a transaction of somebody else is refused and left as it is', async () => {
    const { rows, database } = openRebuildFixture(FAMILY)
    await database.session(({ query }) => query('PRAGMA foreign_keys = OFF'))
    await database.transaction(async (tx) => {
      await database.query(tx, "INSERT INTO lost (name) VALUES ('theirs')")
      await expect(addConstraintBySqliteRebuild(database, request)).rejects.toThrow(RebuildInsideTransactionError)
    })
    expect(rows('SELECT name FROM lost')).toEqual([['theirs']])
  })

  it('that can’t be switched on again are an error, not a silence', async () => {
    const { database } = openRebuildFixture(FAMILY)
    const stuck =
      (query: Query): Query =>
      (text, values) =>
        query(text === 'PRAGMA foreign_keys = 1' ? 'SELECT 1' : text, values)
    const failure = database.session(({ query }) => addConstraintOnSqliteSession(stuck(query), request))
    await expect(failure).rejects.toThrow(PragmaNotRestoredError)
  })
})

describe('what the caller does in the same transaction', () => {
  it('is committed with the constraint, and again when it is there already', async () => {
    const { rows, add } = openRebuildFixture(FAMILY)
    const inTransaction = async (query: Query): Promise<void> => {
      await query("INSERT INTO lost (name) VALUES ('done')")
    }
    await add({ table: 'parents', constraint: notNull('name'), inTransaction })
    await add({ table: 'parents', constraint: notNull('name'), inTransaction })
    expect(rows('SELECT name FROM lost')).toEqual([['done'], ['done']])
  })

  it('takes the constraint back when it fails', async () => {
    const { raw, add } = openRebuildFixture(FAMILY)
    const before = contentOf(raw)
    const inTransaction = async (query: Query): Promise<void> => {
      await query("INSERT INTO lost (name) VALUES ('done')")
      await query('INSERT INTO nowhere VALUES (1)')
    }
    await expect(add({ table: 'parents', constraint: notNull('name'), inTransaction })).rejects.toThrow(
      'no such table: nowhere',
    )
    expect(contentOf(raw)).toEqual(before)
  })
})

it('a writer who holds the lock is waited for, then is the error; nothing is changed', async () => {
  const { raw } = openRebuildFixture(FAMILY)
  const before = contentOf(raw)
  const database = fromBetterSqlite3(raw.name, { busyTimeoutMs: 20 })
  onTestFinished(() => database.close())
  raw.exec('BEGIN IMMEDIATE')
  await expect(addConstraintBySqliteRebuild(database, REQUEST)).rejects.toMatchObject({ code: 'DATABASE_BUSY' })
  raw.exec('ROLLBACK')
  expect(contentOf(raw)).toEqual(before)
  await addConstraintBySqliteRebuild(database, REQUEST)
})
