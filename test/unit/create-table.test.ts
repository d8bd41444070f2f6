import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { findConstraint, namedConstraints } from '../../src/updates/constraints/sqlite-rebuild/constraint-clause.js'
import { parseCreateTable } from '../../src/updates/constraints/sqlite-rebuild/create-table.js'
import {
  withColumnConstraint,
  withName,
  withTableConstraint,
} from '../../src/updates/constraints/sqlite-rebuild/derive-table.js'
import { UnreadableTableSqlError } from '../../src/updates/constraints/sqlite-rebuild/errors.js'
import { sqliteTokens } from '../../src/databases/catalogue/sqlite-tokens.js'

const ODD = `CREATE TABLE IF NOT EXISTS main . [the "table"] /* (not, this) */ ( -- nor ) this
  "a ""b"" c" INTEGER PRIMARY KEY AUTOINCREMENT, -- a comment, with a comma
  [select] VARCHAR(10, 2) DEFAULT 'x,)('' -- no comment' CHECK ("select" <> ',' AND length([select]) IN (1, (2))),
  \`tick\`\`s\` TEXT /* , */ COLLATE NOCASE CONSTRAINT "ticks, given" NOT NULL ON CONFLICT ABORT,
  'quoted like a string' BLOB DEFAULT x'2c29',
  naïve NUMERIC GENERATED ALWAYS AS (1.5e3 + 0x2c) STORED,
  parent REFERENCES "other (table)" ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT NULL,
  CONSTRAINT positive CHECK (naïve > 0), CONSTRAINT pair UNIQUE ("select", parent)
  FOREIGN KEY (parent, "select") REFERENCES p (b, a) /* last */
) STRICT -- end`

describe('parseCreateTable', () => {
  it('finds the name, the columns and the end of the body', () => {
    const table = parseCreateTable(ODD)
    expect(table.name).toBe('the "table"')
    expect(table.schema).toBe('main')
    expect(table.columns.map((column) => column.name)).toEqual([
      'a "b" c',
      'select',
      'tick`s',
      'quoted like a string',
      'naïve',
      'parent',
    ])
    expect(table.tableConstraints).toHaveLength(2)
    expect(ODD.slice(table.bodyEnd)).toBe(') STRICT -- end')
    expect(ODD.slice(table.nameStart, table.nameEnd)).toBe('main . [the "table"]')
  })

  it.each([
    ['CREATE TABLE a AS SELECT 1 AS b', 'no list of columns'],
    ['CREATE VIRTUAL TABLE a USING fts5(b)', 'no CREATE TABLE'],
    ['CREATE VIEW a AS SELECT 1', 'no CREATE TABLE'],
    ['CREATE TABLE', 'no CREATE TABLE'],
    ['', 'no CREATE TABLE'],
    ['CREATE TABLE a (b, (c)', 'not closed'],
    ['CREATE TABLE a (b, )', 'no name'],
    ['CREATE TABLE a (b); DROP TABLE a', 'semicolon'],
  ])('refuses %j', (sql, reason) => {
    expect(() => parseCreateTable(sql)).toThrow(UnreadableTableSqlError)
    expect(() => parseCreateTable(sql)).toThrow(reason)
  })
})

describe('namedConstraints', () => {
  it('finds those of columns and those of the table, by the names that SQLite takes for the same', () => {
    const table = parseCreateTable(ODD)
    expect(namedConstraints(table).map((constraint) => [constraint.name, constraint.clause.kind])).toEqual([
      ['ticks, given', 'not null'],
      ['positive', 'check'],
      ['pair', 'unique'],
    ])
    expect(findConstraint(table, 'POSITIVE')?.text).toBe('CONSTRAINT positive CHECK (naïve > 0)')
    expect(findConstraint(table, 'pair')?.clause).toEqual({ kind: 'unique', columns: ['select', 'parent'], extras: '' })
  })

  it('reads foreign keys of a column and of the table', () => {
    const table = parseCreateTable(`CREATE TABLE t (
      a INT CONSTRAINT one REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED NOT NULL,
      b INT CONSTRAINT dangling,
      CONSTRAINT two FOREIGN KEY (a, "B") REFERENCES [p q] (x, y)
        ON DELETE SET NULL ON UPDATE NO ACTION MATCH FULL DEFERRABLE INITIALLY DEFERRED
      CONSTRAINT three CHECK (a > 0))`)
    expect(namedConstraints(table).map((constraint) => constraint.clause)).toMatchObject([
      { kind: 'foreign key', columns: ['a'], parent: 'p', parentColumns: null, onDelete: 'no action', deferred: false },
      { kind: 'other', text: '' },
      {
        kind: 'foreign key',
        columns: ['a', 'B'],
        parent: 'p q',
        parentColumns: ['x', 'y'],
        onDelete: 'set null',
        onUpdate: 'no action',
        deferred: true,
      },
      { kind: 'check' },
    ])
  })
})

const wordsOf = (sql: string): string =>
  sqliteTokens(sql)
    .map((token) => token.text)
    .join(' ')

describe('a derived CREATE TABLE', () => {
  const storedSql = (sql: string): string => {
    const database = new Database(':memory:')
    try {
      database.exec(sql)
      return database.prepare('SELECT sql FROM sqlite_schema WHERE type = ?').pluck().get('table') as string
    } finally {
      database.close()
    }
  }

  it.each([
    'CREATE TABLE t (a)',
    'CREATE TABLE t(a,b -- last\n)',
    'CREATE TABLE t (\n  a INT,\n  b INT\n)',
    'CREATE TABLE t (a, b /* last */, UNIQUE (b) CHECK (a > 1)) ',
    "CREATE TABLE t (a CHECK (a <> '('), b TEXT, PRIMARY KEY (b)) WITHOUT ROWID",
    'CREATE TABLE t (a INT, b TEXT -- )\n) STRICT, WITHOUT ROWID'.replace('a INT', 'a INT PRIMARY KEY'),
  ])('takes a table constraint: %j', (sql) => {
    const derived = withTableConstraint(parseCreateTable(sql), 'CONSTRAINT "added" CHECK (a > 0)')
    const table = parseCreateTable(storedSql(derived))
    expect(namedConstraints(table).at(-1)?.name).toBe('added')
    expect(table.columns.map((column) => column.name)).toEqual(
      parseCreateTable(sql).columns.map((column) => column.name),
    )
    expect(wordsOf(derived).replace(' , constraint added check ( a > 0 )', '')).toBe(wordsOf(sql))
  })

  it('keeps comments and lines', () => {
    const table = parseCreateTable('CREATE TABLE t (\n  a INT, -- first\n  b INT -- last\n)')
    expect(withTableConstraint(table, 'CHECK (a > 0)')).toBe(
      'CREATE TABLE t (\n  a INT, -- first\n  b INT, -- last\n  CHECK (a > 0)\n)',
    )
    expect(withColumnConstraint(table, 'A', 'NOT NULL')).toBe(
      'CREATE TABLE t (\n  a INT NOT NULL, -- first\n  b INT -- last\n)',
    )
  })

  it('says which column it did not find', () => {
    expect(() => withColumnConstraint(parseCreateTable('CREATE TABLE t (a)'), 'b', 'NOT NULL')).toThrow('column "b"')
  })

  it('takes another name, without the old one before columns', () => {
    const table = parseCreateTable(
      `CREATE TABLE main."T x" (a INT CHECK ([t X].a > 0), "true" INT CHECK (main . "T x" . true > 't x.a'), t INT)`,
    )
    const renamed = withName(table, 'new "T x"')
    expect(renamed).toBe(
      `CREATE TABLE main."new ""T x""" (a INT CHECK ("a" > 0), "true" INT CHECK ("true" > 't x.a'), t INT)`,
    )
    expect(storedSql(renamed)).toContain('new ""T x""')
  })
})
