import { describe, expect, it } from 'vitest'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import Sqlite from 'better-sqlite3'
import { check, foreignKey, notNull, unique, type Constraint } from '../../src/updates/constraints/constraint.js'
import { ConstraintDefinitionError, ConstraintViolationsError } from '../../src/updates/constraints/errors.js'
import {
  addConstraintBySqliteRebuild,
  setNotNullOnSqlite,
} from '../../src/updates/constraints/sqlite-rebuild/add-constraint.js'
import { NotRebuildableError, ParentKeyError } from '../../src/updates/constraints/sqlite-rebuild/errors.js'
import { contentOf, dataOf, dependentsOf, openRebuildFixture, tableSql } from './rebuild-fixture.js'

const SCHEMA = `
  CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT, half TEXT);
  CREATE UNIQUE INDEX half ON p (half) WHERE half > 'm';
  CREATE TABLE t (
    id INTEGER PRIMARY KEY,
    a INT CONSTRAINT "A not null" NOT NULL,
    b INT CONSTRAINT to_p REFERENCES p ON DELETE CASCADE,
    c TEXT,
    CONSTRAINT C_long CHECK (length("C") > 1 /* characters */),
    CONSTRAINT pair UNIQUE (a, [b]) ON CONFLICT ABORT,
    CONSTRAINT loud UNIQUE (c COLLATE NOCASE)
  );
  CREATE VIEW v AS SELECT * FROM t;
  CREATE VIRTUAL TABLE words USING fts5(word);
  INSERT INTO t VALUES (1, 1, NULL, 'cc')`

describe('a constraint of that name', () => {
  it.each<[string, string, Constraint]>([
    ['a NOT NULL', 'a NOT NULL', notNull('a')],
    ['a NOT NULL under another name', 'other', notNull('a')],
    ['a NOT NULL that a key implies', 'other', notNull('id')],
    [
      'a foreign key in the column, to the primary key',
      'to_p',
      foreignKey({ columns: { b: 'id' }, references: 'P', onDelete: 'cascade' }),
    ],
    ['a check', 'c_long', check('(LENGTH( c )>1)')],
    ['a unique key in another order', 'pair', unique(['b', 'a'])],
  ])('is left as it is when it is the same: %s', async (_name, constraintName, constraint) => {
    const { raw, add } = openRebuildFixture(SCHEMA)
    const before = contentOf(raw)
    await add({ table: 't', constraintName, constraint })
    expect(contentOf(raw)).toEqual(before)
  })

  it.each<[string, string, Constraint]>([
    ['another action', 'to_p', foreignKey({ columns: { b: 'id' }, references: 'p' })],
    ['another kind', 'to_p', notNull('b')],
    ['another expression', 'c_long', check('length(c) > 2')],
    ['other columns', 'pair', unique(['a', 'c'])],
    ['another column', 'a not null', notNull('c')],
    ['another collation', 'loud', unique(['c'])],
    ['another kind, of the table', 'c_long', foreignKey({ columns: { b: 'id' }, references: 'p' })],
  ])('is an error and stays when it says something else: %s', async (_name, constraintName, constraint) => {
    const { raw, add } = openRebuildFixture(SCHEMA)
    const before = contentOf(raw)
    const error: unknown = await add({ table: 't', constraintName, constraint }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ConstraintDefinitionError)
    expect((error as ConstraintDefinitionError).existing).toMatch(/^CONSTRAINT /)
    expect(contentOf(raw)).toEqual(before)
  })

  it.each<[Constraint]>([
    [
      foreignKey({
        columns: { b: 'id', a: 'id2' },
        references: 'q',
        onUpdate: 'set null',
        deferrable: 'initially deferred',
      }),
    ],
    [check(`c <> ')' -- not this`)],
    [unique(['c', 'b'])],
    [notNull('c')],
  ])('is found again after it was added: $kind', async (constraint) => {
    const { raw, add } = openRebuildFixture(`${SCHEMA}; CREATE TABLE q (id INT, id2 INT, UNIQUE (id2, id))`)
    await add({ table: 't', constraint })
    const before = contentOf(raw)
    await add({ table: 't', constraint })
    expect(contentOf(raw)).toEqual(before)
  })
})

describe('a rebuild is refused', () => {
  it.each<[string, Parameters<typeof addConstraintBySqliteRebuild>[1]['table'], string]>([
    ['a view', 'v', 'it is a view'],
    ['a virtual table', 'words', 'it is a virtual table'],
    ['a table of a virtual table', 'words_data', 'a table of a virtual table'],
    ['a table of SQLite itself', 'sqlite_schema', 'keeps this table for itself'],
    ['the sequence', 'SQLITE_SEQUENCE', 'keeps this table for itself'],
    ['a table of another database', { schema: 'other', name: 't' }, 'database "other"'],
    ['a temporary table', { schema: 'temp', name: 't' }, 'database "temp"'],
  ])('for %s', async (_name, table, reason) => {
    const { raw, add } = openRebuildFixture(SCHEMA)
    const before = contentOf(raw)
    const error: unknown = await add({ table, constraint: notNull('c') }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(NotRebuildableError)
    expect((error as Error).message).toContain(reason)
    expect(contentOf(raw)).toEqual(before)
  })

  it('for a table or a column that isn’t there, with what was probably meant', async () => {
    const { add } = openRebuildFixture(SCHEMA)
    await expect(add({ table: 'wordz', constraint: notNull('c') })).rejects.toThrow('did you mean "words"')
    await expect(add({ table: 't', constraint: unique(['idd']) })).rejects.toThrow('did you mean "id"')
    const parent = (columns: Record<string, string>, references: string) => foreignKey({ columns, references })
    await expect(add({ table: 't', constraint: parent({ b: 'id' }, 'nowhere') })).rejects.toThrow('does not exist')
    await expect(add({ table: 't', constraint: parent({ b: 'idd' }, 'p') })).rejects.toThrow('did you mean "id"')
  })

  it.each(['code', 'half'])('for a foreign key to something that isn’t unique: %s', async (column) => {
    const { raw, add } = openRebuildFixture(SCHEMA)
    const before = contentOf(raw)
    const constraint = foreignKey({ columns: { c: column }, references: 'p' })
    await expect(add({ table: 't', constraint, onViolation: 'delete' })).rejects.toThrow(ParentKeyError)
    expect(contentOf(raw)).toEqual(before)
  })

  it.each(['CREATE TEMP TABLE t (a INT)', 'CREATE TEMP TRIGGER gone AFTER DELETE ON main.t BEGIN SELECT 1; END'])(
    'beside what would get in the way: %s',
    async (temporary) => {
      const handle = new Sqlite(':memory:')
      handle.exec(`${SCHEMA}; ${temporary}`)
      const before = contentOf(handle)
      const database = fromBetterSqlite3(handle)
      await expect(
        addConstraintBySqliteRebuild(database, {
          constraintName: 'added',
          table: 't',
          constraint: unique(['a']),
          onViolation: 'report',
        }),
      ).rejects.toThrow('temporary')
      expect(contentOf(handle)).toEqual(before)
      handle.close()
    },
  )

  it('for a check that SQLite refuses, and is rolled back', async () => {
    const { raw, add } = openRebuildFixture(SCHEMA)
    const before = contentOf(raw)
    for (const method of ['auto', 'rebuild'] as const) {
      await expect(add({ table: 't', constraint: check('missing(c)'), method })).rejects.toThrow('no such function')
      await expect(add({ table: 't', constraint: check('(SELECT 1)'), method })).rejects.toThrow('subqueries')
    }
    expect(contentOf(raw)).toEqual(before)
  })
})

describe('ALTER TABLE, where this SQLite has it', () => {
  const ALTERED = `
    CREATE TABLE t (a INT CHECK (t.a > 0), -- first
      "b c" TEXT -- last
    );
    CREATE TABLE child (x INT);
    CREATE VIEW broken AS SELECT * FROM nowhere;
    CREATE VIEW v AS SELECT * FROM t;
    CREATE INDEX i ON t (a);
    INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, 'y')`

  const rootPage = "SELECT rootpage FROM sqlite_schema WHERE name = 't'"

  it('adds a check in place', async () => {
    const { raw, add, rows } = openRebuildFixture(ALTERED)
    const [before, dependents, page] = [dataOf(raw, 't'), dependentsOf(raw), rows(rootPage)]
    const constraint = check("a < 100 -- ')")
    await add({ table: 't', constraint, constraintName: 'below "100"', method: 'auto' })
    expect([dataOf(raw, 't'), dependentsOf(raw), rows(rootPage)]).toEqual([before, dependents, page])
    expect(() => raw.exec('INSERT INTO t VALUES (100, NULL)')).toThrow('CHECK constraint failed: below "100"')
    await add({ table: 't', constraint, constraintName: 'BELOW "100"', method: 'auto' })
  })

  it('rebuilds for a check that is NULL for some row, which this ALTER TABLE would refuse', async () => {
    const { raw, add, rows } = openRebuildFixture(ALTERED)
    expect(() => raw.exec(`ALTER TABLE t ADD CONSTRAINT known CHECK ("b c" <> 'z')`)).toThrow('constraint failed')
    const before = dataOf(raw, 't')
    const page = rows(rootPage)
    await add({ table: 't', constraint: check(`"b c" <> 'z'`), method: 'auto' })
    expect(dataOf(raw, 't')).toEqual(before)
    expect(rows(rootPage)).not.toEqual(page)
    expect(() => raw.exec(`INSERT INTO t VALUES (4, 'z')`)).toThrow('CHECK')
  })

  it('sets NOT NULL in place, after violating rows were repaired', async () => {
    const { raw, add, rows } = openRebuildFixture(ALTERED)
    const page = rows(rootPage)
    await expect(add({ table: 't', constraint: notNull('b c'), method: 'auto' })).rejects.toThrow(
      ConstraintViolationsError,
    )
    await add({ table: 't', constraint: notNull('b c'), onViolation: 'delete', method: 'auto' })
    expect(rows(rootPage)).toEqual(page)
    expect(rows('SELECT a FROM t')).toEqual([[1], [3]])
    expect(() => raw.exec('INSERT INTO t VALUES (4, NULL)')).toThrow('NOT NULL')
  })

  it('makes a column NOT NULL by setNotNullOnSqlite, once', async () => {
    const { raw, database, rows } = openRebuildFixture(ALTERED)
    const set = (column: string) => database.session(({ query }) => setNotNullOnSqlite(query, { table: 't', column }))
    await expect(set('b c')).rejects.toThrow(ConstraintViolationsError)
    await set('a')
    const sql = tableSql(raw, 't')
    await set('a')
    expect(tableSql(raw, 't')).toBe(sql)
    expect(rows('SELECT "notnull" FROM pragma_table_info(\'t\')')).toEqual([[1], [0]])
  })

  it('is not used by an older SQLite', async () => {
    const { raw, database, rows } = openRebuildFixture(ALTERED)
    const page = rows(rootPage)
    await database.session(({ query }) => {
      const older: typeof query = (text, values) => query(text.replace('sqlite_version()', "'3.52.9'"), values)
      return setNotNullOnSqlite(older, { table: 't', column: 'a' })
    })
    expect(rows(rootPage)).not.toEqual(page)
    expect(tableSql(raw, 't')).toContain('a INT CHECK ("a" > 0) NOT NULL, -- first')
  })
})
