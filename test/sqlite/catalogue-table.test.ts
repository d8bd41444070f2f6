import Database from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { expect, it } from 'vitest'
import type { TableName } from '../../src/databases/identifier.js'
import { describeTable } from '../../src/databases/catalogue/table.js'

async function look(schema: string, table: TableName) {
  const handle = new Database(':memory:')
  handle.exec(schema)
  const database = fromBetterSqlite3(handle)
  return database.transaction(async (tx) =>
    describeTable({ dialect: 'sqlite', query: (text, values) => database.query(tx, text, values) }, table),
  )
}

it('knows the rowid by another name, and that it is never NULL', async () => {
  const table = await look(
    'CREATE TABLE "Order" ("Id" INTEGER PRIMARY KEY, a, twice AS (a * 2) VIRTUAL, kept AS (a) STORED)',
    'Order',
  )
  expect(table.primaryKey).toEqual({
    index: null,
    primary: true,
    columns: ['Id'],
    collations: [null],
    notNull: true,
    ordered: true,
  })
  expect(table.columns.map((column) => [column.name, column.type, column.notNull, column.generated])).toEqual([
    ['Id', 'INTEGER', true, null],
    ['a', '', false, null],
    ['twice', '', false, 'virtual'],
    ['kept', '', false, 'stored'],
  ])
})

it('knows that another PRIMARY KEY may hold NULL', async () => {
  expect((await look('CREATE TABLE t (a TEXT PRIMARY KEY)', 't')).primaryKey).toMatchObject({
    columns: ['a'],
    notNull: false,
  })
  expect((await look('CREATE TABLE t (a INT PRIMARY KEY)', 't')).primaryKey).toMatchObject({ notNull: false })
  expect((await look('CREATE TABLE t (a INTEGER PRIMARY KEY DESC)', 't')).primaryKey).toMatchObject({ notNull: false })
  expect((await look('CREATE TABLE t (a TEXT NOT NULL PRIMARY KEY)', 't')).primaryKey).toMatchObject({ notNull: true })
  expect((await look('CREATE TABLE t (a TEXT PRIMARY KEY) WITHOUT ROWID', 't')).primaryKey).toMatchObject({
    notNull: true,
  })
  expect((await look('CREATE TABLE t (a TEXT PRIMARY KEY) STRICT', 't')).primaryKey).toMatchObject({ notNull: true })
})

it('takes only keys that hold for every row, with the collation of their index', async () => {
  const table = await look(
    `CREATE TABLE t ('a' TEXT CHECK (a COLLATE RTRIM <> '') NOT NULL COLLATE NOCASE UNIQUE DEFAULT ('x' COLLATE BINARY), b TEXT NOT NULL, c);
     CREATE UNIQUE INDEX t_partial ON t (b) WHERE c > 1;
     CREATE UNIQUE INDEX t_expression ON t (lower(b));
     CREATE UNIQUE INDEX t_c_b ON t (c, b COLLATE RTRIM);
     CREATE INDEX t_plain ON t (b);`,
    't',
  )
  expect(table.uniqueKeys).toEqual([
    {
      index: 'sqlite_autoindex_t_1',
      primary: false,
      columns: ['a'],
      collations: [null],
      notNull: true,
      ordered: true,
    },
    {
      index: 't_c_b',
      primary: false,
      columns: ['c', 'b'],
      collations: [null, '"RTRIM"'],
      notNull: false,
      ordered: false,
    },
  ])
  expect(table.primaryKey).toBeNull()
})

it('reads foreign keys, kinds and the statistics of ANALYZE', async () => {
  const schema = `
    CREATE TABLE parent (x, y, PRIMARY KEY (y, x));
    CREATE TABLE other (z PRIMARY KEY);
    CREATE TABLE child (id INTEGER PRIMARY KEY, a, b, c REFERENCES other (z), FOREIGN KEY (a, b) REFERENCES parent);
    CREATE INDEX child_a ON child (a);
    CREATE VIEW seen AS SELECT 1 AS one;
    CREATE VIRTUAL TABLE found USING fts5 (body);
    INSERT INTO child (id) VALUES (1), (2), (3);
    ANALYZE;`
  const child = await look(schema, { schema: 'main', name: 'child' })
  expect(child.estimatedRows).toBe(3)
  expect((await look(schema, 'seen')).kind).toBe('view')
  expect((await look(schema, 'found')).kind).toBe('virtual table')
})

it('suggests the name that was meant', async () => {
  await expect(look('CREATE TABLE customers (id)', 'custmers')).rejects.toThrow(/did you mean "customers"\?/)
  await expect(look('CREATE TABLE customers (id)', { schema: 'nowhere', name: 'customers' })).rejects.toMatchObject({
    code: 'SCHEMA_MISMATCH',
  })
})
