import { fromPg } from 'evenkeel/pg'
import type { Database } from 'evenkeel'
import type { PoolClient } from 'pg'
import { expect, it } from 'vitest'
import { backfill } from '../../src/updates/backfill.js'
import { deleteRows } from '../../src/updates/delete-rows.js'
import { describePostgres, type PostgresContext } from '../support/postgres.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

async function fresh(postgres: PostgresContext, schema: string) {
  const test = await postgres.freshDatabase()
  await test.pool.query(schema)
  return {
    ...test,
    pool: test.pool,
    database: fromPg(test.pool) as unknown as Database<never>,
    openClient: test.openClient.bind(test),
  }
}

describePostgres('walks over tables of PostgreSQL', (postgres) => {
  it('finds a table of another schema, and its user types', async () => {
    const { pool, database } = await fresh(
      postgres,
      `CREATE SCHEMA "My Shop";
       CREATE TYPE "My Shop".size AS ENUM ('small', 'big', 'Large');
       CREATE TABLE "My Shop"."Order" (size "My Shop".size, at timestamptz, "desc" text, PRIMARY KEY (size, at));
       CREATE TABLE "My Shop".kept (LIKE "My Shop"."Order");
       INSERT INTO "My Shop"."Order"
       SELECT (ARRAY['Large', 'small', 'big'])[1 + n % 3]::"My Shop".size, '2020-01-01'::timestamptz + n * interval '1 microsecond'
       FROM generate_series(1, 100) AS n`,
    )
    const table = { schema: 'My Shop', name: 'Order' }
    const update = backfill({
      name: 'fill',
      table,
      set: { desc: `"Order".size::text || to_char(at, 'US')` },
      where: `size <> 'big'`,
    })
    await runAll(await queued({ database }, update, [9, 1]))
    expect(
      (
        await pool.query(
          'SELECT count(*)::int AS n FROM "My Shop"."Order" WHERE "desc" = size::text || to_char(at, \'US\')',
        )
      ).rows,
    ).toEqual([{ n: 67 }])
    const move = deleteRows({ name: 'move', table, where: `size = 'big'`, keepIn: { schema: 'My Shop', name: 'kept' } })
    await runAll(await queued({ database }, move, [9]))
    expect((await pool.query('SELECT count(*)::int AS n FROM "My Shop".kept')).rows).toEqual([{ n: 33 }])
    expect((await pool.query('SELECT count(*)::int AS n FROM "My Shop"."Order"')).rows).toEqual([{ n: 67 }])
  })

  it('walks a partitioned table whole, and refuses one that others inherit from', async () => {
    const { pool, database } = await fresh(
      postgres,
      `CREATE TABLE parts (id int PRIMARY KEY, x int) PARTITION BY RANGE (id);
       CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
       CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (1000);
       INSERT INTO parts SELECT generate_series(1, 100);
       CREATE TABLE animals (id int PRIMARY KEY, x int);
       CREATE TABLE cats () INHERITS (animals)`,
    )
    await runAll(await queued({ database }, backfill({ name: 'fill', table: 'parts', set: { x: 'id' } }), [30]))
    expect((await pool.query('SELECT count(*)::int AS n FROM parts WHERE x = id')).rows).toEqual([{ n: 100 }])
    const refused = await queued({ database }, backfill({ name: 'no', table: 'animals', set: { x: '1' } }))
    await expect(refused.runToCompletion()).rejects.toThrow(/other tables inherit from it/)
  })

  it.each([
    ['the partition itself', 'parts_1', 'kept', 'table parts_1: it refers to itself'],
    ['the table that keeps the rows', 'parts', 'kept_1', 'table kept_1 (keepIn): it refers to "parts"'],
  ])('refuses keepIn where a cascade between partitions reaches %s', async (_, table, keepIn, message) => {
    const { pool, database } = await fresh(
      postgres,
      `CREATE TABLE parts (id int PRIMARY KEY, up int) PARTITION BY RANGE (id);
       CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
       CREATE TABLE kept (id int, up int) PARTITION BY RANGE (id);
       CREATE TABLE kept_1 PARTITION OF kept FOR VALUES FROM (0) TO (1000);
       INSERT INTO parts VALUES (1, NULL), (2, 1);
       ALTER TABLE ${table === 'parts' ? 'kept' : 'parts'} ADD FOREIGN KEY (up) REFERENCES parts ON DELETE CASCADE`,
    )
    const updater = await queued({ database }, deleteRows({ name: 'move', table, where: 'id = 1', keepIn }))
    await expect(updater.runToCompletion()).rejects.toThrow(`${message} with ON DELETE CASCADE`)
    expect((await pool.query('SELECT count(*)::int AS n FROM parts')).rows).toEqual([{ n: 2 }])
  })

  it.each([
    ['parts', 'parts_1'],
    ['parts_1', 'parts'],
    ['parts_1', 'parts_2'],
  ])('refuses to keep rows of %s in %s, another part of the same table', async (table, keepIn) => {
    const { pool, database } = await fresh(
      postgres,
      `CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
       CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
       CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
       INSERT INTO parts VALUES (1), (2)`,
    )
    const updater = await queued({ database }, deleteRows({ name: 'move', table, where: 'id = 1', keepIn }))
    await expect(updater.runToCompletion()).rejects.toThrow(`${keepIn} (keepIn): it is of the same partitioned table`)
    expect((await pool.query('SELECT count(*)::int AS n FROM parts')).rows).toEqual([{ n: 2 }])
  })

  it.runIf(postgres.version >= 18)(
    'refuses a key whose index keeps no order: every batch would sort the table',
    async () => {
      const { database } = await fresh(
        postgres,
        `CREATE EXTENSION btree_gist;
       CREATE TABLE prices (item int, valid daterange, x int, PRIMARY KEY (item, valid WITHOUT OVERLAPS));
       INSERT INTO prices VALUES (1, '[2019-01-01,2020-01-01)')`,
      )
      const updater = await queued({ database }, backfill({ name: 'fill', table: 'prices', set: { x: '1' } }))
      await expect(updater.runToCompletion()).rejects.toThrow(/the unique index on \(item, valid\).* or keeps none/)
    },
  )

  it('refuses deferrable and invalid keys, and columns that are always identity', async () => {
    const { database, pool } = await fresh(
      postgres,
      `CREATE TABLE t (a int NOT NULL UNIQUE DEFERRABLE, b int NOT NULL, i int GENERATED ALWAYS AS IDENTITY, id int PRIMARY KEY);
       INSERT INTO t VALUES (1, 1, DEFAULT, 1), (2, 1, DEFAULT, 2)`,
    )
    await expect(pool.query('CREATE UNIQUE INDEX CONCURRENTLY broken ON t (b)')).rejects.toThrow()
    for (const [wrong, message] of [
      [{ key: 'a', set: { b: '1' } }, /nothing proves that the key \(a\)/],
      [{ key: 'b', set: { a: '1' } }, /nothing proves that the key \(b\)/],
      [{ set: { i: '1' } }, /GENERATED ALWAYS AS IDENTITY/],
    ] as const) {
      const updater = await queued({ database }, backfill({ name: `u${message.source}`, table: 't', ...wrong }))
      await expect(updater.runToCompletion()).rejects.toThrow(message)
    }
  })

  it('hands the driver’s transaction to `run`', async () => {
    const { database, pool } = await fresh(
      postgres,
      'CREATE TABLE t (id bigint PRIMARY KEY, x int); INSERT INTO t SELECT n * 1000000007::bigint FROM generate_series(1, 50) AS n',
    )
    const update = backfill<PoolClient>({
      name: 'fill',
      table: 't',
      async run({ tx, range }) {
        const { rowCount } = await tx.query(`UPDATE t SET x = 1 WHERE ${range.sql}`)
        return rowCount ?? 0
      },
    })
    const updater = await queued({ database }, update, [20])
    await runAll(updater)
    expect((await pool.query('SELECT count(*)::int AS n FROM t WHERE x = 1')).rows).toEqual([{ n: 50 }])
    expect((await updater.history())[0]?.progress).toMatchObject({ changed: 50, lower: ['50000000350'] })
  })

  it('goes on when a column’s type is changed on the way', async () => {
    const { database, pool } = await fresh(
      postgres,
      'CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t SELECT generate_series(1, 50)',
    )
    const update = backfill({ name: 'fill', table: 't', set: { x: '1' } })
    const updater = await queued({ database }, update, [20])
    await updater.runNextBatch()
    await pool.query('ALTER TABLE t ALTER COLUMN id TYPE bigint')
    await runAll(updaterOf(database, update, [20]))
    expect((await pool.query('SELECT count(*)::int AS n FROM t WHERE x = 1')).rows).toEqual([{ n: 50 }])
  })
})
