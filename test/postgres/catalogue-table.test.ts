import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import type { TableName } from '../../src/databases/identifier.js'
import { describeTable, requireColumns } from '../../src/databases/catalogue/table.js'
import type { TestDatabase } from '../support/postgres-database.js'
import { describePostgres } from '../support/postgres.js'

async function look({ pool }: TestDatabase, table: TableName) {
  const database = fromPg(pool)
  return database.transaction(async (tx) =>
    describeTable({ dialect: 'postgres', query: (text, values) => database.query(tx, text, values) }, table),
  )
}

describePostgres('describeTable', (postgres) => {
  it('reads columns, types below domains, generated and identity columns', async () => {
    await postgres.pool.query(`
      CREATE DOMAIN short AS varchar(7);
      CREATE DOMAIN shorter AS short NOT NULL;
      CREATE TABLE "Select ""me""" (
        "Id" bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        code shorter,
        amount numeric(12, 3)[],
        at timestamp(3),
        gone int,
        twice bigint GENERATED ALWAYS AS ("Id" * 2) STORED
      );
      ALTER TABLE "Select ""me""" DROP COLUMN gone;
    `)
    const table = await look(postgres.database, 'Select "me"')
    expect(table.kind).toBe('table')
    expect(table.schema).toBe('public')
    expect(table.estimatedRows).toBeNull()
    expect(
      table.columns.map((c) => [c.name, c.type, c.castType, c.typeName, c.notNull, c.generated, c.identity]),
    ).toEqual([
      ['Id', 'bigint', 'bigint', 'int8', true, null, 'always'],
      ['code', 'shorter', 'character varying', 'varchar', false, null, null],
      ['amount', 'numeric(12,3)[]', 'numeric[]', '_numeric', false, null, null],
      ['at', 'timestamp(3) without time zone', 'timestamp without time zone', 'timestamp', false, null, null],
      ['twice', 'bigint', 'bigint', 'int8', false, 'stored', null],
    ])
    expect(table.primaryKey).toMatchObject({ columns: ['Id'], notNull: true, ordered: true, collations: [null] })
  })

  it('takes only keys that hold for every row at any moment', async () => {
    await postgres.pool.query(`
      CREATE TABLE keys (
        a int NOT NULL, b text NOT NULL, c int, d int NOT NULL UNIQUE DEFERRABLE, e text NOT NULL,
        CONSTRAINT keys_b_a UNIQUE (b, a)
      );
      CREATE UNIQUE INDEX keys_partial ON keys (a) WHERE a > 0;
      CREATE UNIQUE INDEX keys_expression ON keys (lower(b));
      CREATE UNIQUE INDEX keys_nullable ON keys (c);
      CREATE UNIQUE INDEX keys_collated ON keys (e COLLATE "POSIX") INCLUDE (a);
      CREATE UNIQUE INDEX keys_pattern ON keys (e text_pattern_ops);
      INSERT INTO keys VALUES (0, 'x', 1, 1, 'x'), (0, 'y', 2, 2, 'y');
    `)
    await expect(postgres.pool.query('CREATE UNIQUE INDEX CONCURRENTLY keys_invalid ON keys (a)')).rejects.toThrow()
    const table = await look(postgres.database, { schema: 'public', name: 'keys' })
    expect(table.uniqueKeys).toEqual([
      {
        index: 'keys_b_a',
        primary: false,
        columns: ['b', 'a'],
        collations: [null, null],
        notNull: true,
        ordered: true,
      },
      {
        index: 'keys_collated',
        primary: false,
        columns: ['e'],
        collations: ['pg_catalog."POSIX"'],
        notNull: true,
        ordered: true,
      },
      { index: 'keys_nullable', primary: false, columns: ['c'], collations: [null], notNull: false, ordered: true },
      { index: 'keys_pattern', primary: false, columns: ['e'], collations: [null], notNull: true, ordered: false },
    ])
    expect(table.primaryKey).toBeNull()
  })

  it('knows partitioned and inherited tables, foreign keys and estimates', async () => {
    await postgres.pool.query(`
      CREATE TABLE parent (x int, y int, PRIMARY KEY (x, y));
      CREATE TABLE parts (id int PRIMARY KEY, y int, x int, FOREIGN KEY (y, x) REFERENCES parent (x, y)) PARTITION BY RANGE (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
      CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (1000);
      INSERT INTO parts SELECT n FROM generate_series(1, 300) AS n;
      ANALYZE parts_1; ANALYZE parts_2;
      CREATE TABLE animals (id int PRIMARY KEY);
      CREATE TABLE cats () INHERITS (animals);
      CREATE VIEW seen AS SELECT * FROM animals;
    `)
    const parts = await look(postgres.database, 'parts')
    expect(parts).toMatchObject({ kind: 'partitioned table', inherited: false, estimatedRows: 300 })
    expect(parts.uniqueKeys).toHaveLength(1)
    expect(await look(postgres.database, 'animals')).toMatchObject({ kind: 'table', inherited: true })
    expect(await look(postgres.database, 'seen')).toMatchObject({ kind: 'view', uniqueKeys: [] })
  })

  // NOT NULL can be NOT VALID from version 18 on.
  if (postgres.version >= 18) {
    it('does not trust a NOT NULL that is not validated yet', async () => {
      await postgres.pool.query(`
        CREATE TABLE later (id int UNIQUE, name text);
        INSERT INTO later VALUES (NULL, 'old');
        ALTER TABLE later ADD CONSTRAINT later_id NOT NULL id NOT VALID;
      `)
      const before = await look(postgres.database, 'later')
      expect(before.columns[0]).toMatchObject({ name: 'id', notNull: false })
      expect(before.uniqueKeys[0]).toMatchObject({ notNull: false })
      await postgres.pool.query('DELETE FROM later; ALTER TABLE later VALIDATE CONSTRAINT later_id')
      const after = await look(postgres.database, 'later')
      expect(after.columns[0]).toMatchObject({ name: 'id', notNull: true })
      expect(after.uniqueKeys[0]).toMatchObject({ notNull: true })
    })
  }

  it('suggests the name that was meant', async () => {
    await postgres.pool.query('CREATE SCHEMA shop; CREATE TABLE shop.customers (id int PRIMARY KEY, email text)')
    await expect(look(postgres.database, { schema: 'shop', name: 'custmers' })).rejects.toThrow(
      /shop\.custmers: it does not exist; did you mean "customers"\?/,
    )
    await expect(look(postgres.database, 'customers')).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      permanent: true,
    })
    const table = await look(postgres.database, { schema: 'shop', name: 'customers' })
    expect(() => requireColumns(table, ['id', 'emal'], 'set')).toThrow(/no column "emal"; did you mean "email"\?/)
  })
})
