import type { Database } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import { SchemaMismatchError } from '../../src/errors.js'
import { backfill } from '../../src/updates/backfill.js'
import { addConstraint } from '../../src/updates/constraints/add-constraint.js'
import { foreignKey, unique, type Constraint } from '../../src/updates/constraints/constraint.js'
import { CascadeRefusedError, ConstraintViolationsError } from '../../src/updates/constraints/errors.js'
import { validateConstraintAndRepair } from '../../src/updates/constraints/validate-constraint-and-repair.js'
import { validateConstraint } from '../../src/updates/constraints/validate-constraint.js'
import { deleteRows } from '../../src/updates/delete-rows.js'
import { rowBackfill } from '../../src/updates/row-backfill.js'
import { planTableWalk } from '../../src/updates/walk/plan-table-walk.js'
import { ids, runToEnd } from '../support/constraints.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { queued, runAll, updaterOf } from '../support/walks.js'

// Types of many kinds, most of which are compared by operators of another type.
const ORDINARY = [
  'int',
  'varchar(9)',
  'char(9)',
  'name',
  'text COLLATE "C"',
  'cidr',
  'regclass',
  'int[]',
  'varchar[]',
  'int4range',
  'int4multirange',
  'mood',
  'pair',
  'code',
  'codes',
  'near',
  'public.citext',
  'ext.labels',
]

describePostgres('operators that the search path hides', (postgres) => {
  const fresh = async (schema: string, searchPath = 'public') => {
    const test = await postgres.freshDatabase()
    await test.pool.query(`CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; ${schema}`)
    return { pool: test.pool, ...connected(test, searchPath) }
  }
  const connected = (test: TestDatabase, searchPath: string) => {
    const walker = test.openPool({ options: `-c search_path=${searchPath}` })
    return { walker, database: fromPg(walker) as unknown as Database<never> }
  }
  const KEYED = `
    CREATE TABLE t (k ext.citext PRIMARY KEY, x int DEFAULT 0);
    INSERT INTO t (k)
    SELECT CASE WHEN n % 2 = 0 THEN 'a' ELSE 'B' END || n FROM generate_series(1, 40) AS n`
  const fill = backfill({ name: 'fill', table: 't', set: { x: '1' } })
  const untouched = 'SELECT count(*)::int AS id FROM t WHERE x = 0'

  it.each([
    ['backfill', fill],
    ['rowBackfill', rowBackfill({ name: 'rows', table: 't', columns: ['x'], map: () => ({ x: 1 }) })],
    ['deleteRows', deleteRows({ name: 'purge', table: 't', where: 'TRUE', maxDeletes: 'unlimited' })],
  ])('%s refuses a key of such a type, and says which schema is wanted', async (_, update) => {
    const { pool, database } = await fresh(KEYED)
    const updater = await queued({ database }, update)
    await expect(updater.runToCompletion()).rejects.toThrow(
      /public\.t: the column "k" of type ext\.citext.*<, <=, =, >=, >.*schema "ext"/,
    )
    expect(await updater.history()).toEqual([])
    expect((await updater.status()).databases['main']?.updates[0]).toMatchObject({
      state: 'failed',
      lastError: expect.stringContaining(`Put schema "ext" on the search_path of Evenkeel's connections`) as string,
    })
    expect(await ids(pool, untouched)).toEqual([40])
  })

  it('walks it when the schema is on the path', async () => {
    const { pool, database } = await fresh(KEYED, 'public,ext')
    await runAll(await queued({ database }, fill, [7]))
    expect(await ids(pool, untouched)).toEqual([0])
  })

  it('refuses such a column below a domain, behind another one, and in a process that takes over', async () => {
    const schema = `
      CREATE DOMAIN public.email AS ext.citext;
      CREATE TABLE t (n int, k email, x int DEFAULT 0, PRIMARY KEY (n, k));
      INSERT INTO t (n, k) SELECT n, 'A' || n FROM generate_series(1, 40) AS n`
    const test = await postgres.freshDatabase()
    await test.pool.query(`CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; ${schema}`)
    const updater = await queued(connected(test, 'public,ext'), fill, [7])
    await updater.runNextBatch()
    const other = updaterOf(connected(test, 'public').database, fill, [7])
    await expect(other.runToCompletion()).rejects.toThrow(/column "k" of type ext\.citext/)
    expect(await ids(test.pool, untouched)).toEqual([33])
  })

  it('refuses operators that others of the same name stand before', async () => {
    const OTHER = (type: string) => `
      CREATE SCHEMA other;
      CREATE FUNCTION other.never(${type}, ${type}) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT FALSE';
      CREATE OPERATOR other.> (FUNCTION = other.never, LEFTARG = ${type}, RIGHTARG = ${type});`
    const before = await fresh(OTHER('ext.citext') + KEYED, 'other,public,ext')
    await expect((await queued(before, fill)).runToCompletion()).rejects.toThrow(
      /column "k" of type citext.*> of schema "other" hides that of schema "ext"/,
    )
    const after = await fresh(OTHER('ext.citext') + KEYED, 'public,ext,other')
    await runAll(await queued(after, fill))
    // Of varchar there is none of its own: text's are used, wherever they stand, unless there is one.
    const exact = await fresh(
      OTHER('varchar') + 'CREATE TABLE t (k varchar PRIMARY KEY, x int); INSERT INTO t VALUES (1, 0)',
      'public,pg_catalog,other',
    )
    await expect((await queued(exact, fill)).runToCompletion()).rejects.toThrow(
      /of type character varying.*> of schema "other" hides that of schema "pg_catalog"/,
    )
    // Of a type that has its own, one stands before it only when its schema does.
    const dates = `${OTHER('date')} CREATE TABLE t (k date PRIMARY KEY, x int DEFAULT 0); INSERT INTO t VALUES ('2026-11-29')`
    const hidden = await fresh(dates, 'other,pg_catalog,public')
    await expect((await queued(hidden, fill)).runToCompletion()).rejects.toThrow(
      /of type date.*> of schema "other" hides that of schema "pg_catalog"/,
    )
    const behind = await fresh(dates, 'other,public')
    await runAll(await queued(behind, fill))
    expect(await ids(behind.pool, untouched)).toEqual([0])
  })

  it('refuses none of the ordinary types', async () => {
    const { database } = await fresh(`
      DROP EXTENSION citext;
      CREATE EXTENSION citext SCHEMA public;
      CREATE TYPE mood AS ENUM ('sad', 'ok');
      CREATE TYPE ext.labels AS ENUM ('a', 'b');
      CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN code AS varchar(9);
      CREATE DOMAIN codes AS code[];
      CREATE TYPE near AS RANGE (subtype = float8);
      CREATE TABLE t (${ORDINARY.map((type, index) => `k${index} ${type} UNIQUE NOT NULL`).join(', ')}, x int)`)
    for (const index of ORDINARY.keys()) {
      const planned = database.session(({ query }) => planTableWalk({ query, dialect: 'postgres' }, 't', `k${index}`))
      await expect(planned, ORDINARY[index]).resolves.toMatchObject({ key: { columns: [{ name: `k${index}` }] } })
    }
  })

  it('refuses a key of floating-point numbers whose text is not exact', async () => {
    const test = await postgres.freshDatabase()
    const { pool } = test
    await pool.query(`
      CREATE DOMAIN ratio AS float8;
      CREATE TYPE near AS RANGE (subtype = float4);
      CREATE TABLE t (id int PRIMARY KEY, k ratio UNIQUE NOT NULL, list real[] UNIQUE NOT NULL, around near UNIQUE NOT NULL, x int DEFAULT 0);
      INSERT INTO t (id, k, list, around) SELECT n, 1000 / 3.0::float8 + n, ARRAY[n / 3.0], near(n, NULL) FROM generate_series(1, 20) AS n`)
    const inexact = connected(test, 'public -c extra_float_digits=0')
    for (const key of ['k', 'list', 'around'] as const) {
      const update = backfill({ name: key, table: 't', key, set: { x: '1' } })
      const updater = await queued(inexact, update)
      await expect(updater.runToCompletion()).rejects.toThrow(
        new RegExp(`public\\.t: the key column "${key}" .*extra_float_digits is 0.*Set extra_float_digits to 1`),
      )
      expect(await ids(pool, untouched)).toEqual([20])
      await updater.cancel(key)
    }
    // Its text is not read, whatever it is set to.
    await runAll(await queued(inexact, backfill({ name: 'by_id', table: 't', set: { x: '2' } })))
    await pool.query('UPDATE t SET x = 0')
    await runAll(
      await queued(connected(test, 'public'), backfill({ name: 'exact', table: 't', key: 'k', set: { x: '1' } })),
    )
    expect(await ids(pool, untouched)).toEqual([0])
  })

  it('refuses a key of dates within others where their text can be read in two ways', async () => {
    const test = await postgres.freshDatabase()
    const { pool } = test
    await pool.query(`
      CREATE TABLE t (at timestamptz PRIMARY KEY, during tstzrange UNIQUE NOT NULL, days date[] UNIQUE NOT NULL, x int DEFAULT 0);
      INSERT INTO t (at, during, days)
      SELECT now() + n * '1 day'::interval, tstzrange(now(), now() + n * '1 day'::interval), ARRAY[now()::date + n]
      FROM generate_series(1, 20) AS n`)
    const german = connected(test, 'public -c DateStyle=German')
    for (const key of ['during', 'days'] as const) {
      const update = backfill({ name: key, table: 't', key, set: { x: '1' } })
      const updater = await queued(german, update)
      await expect(updater.runToCompletion()).rejects.toThrow(
        new RegExp(`public\\.t: the key column "${key}" .*DateStyle is German, DMY.*Set DateStyle to ISO`),
      )
      await updater.cancel(key)
      await runAll(await queued(connected(test, 'public'), update, [7]))
      expect(await ids(pool, untouched)).toEqual([0])
      await pool.query('UPDATE t SET x = 0')
    }
    await runAll(await queued(german, backfill({ name: 'by_time', table: 't', set: { x: '1' } }), [7]))
    expect(await ids(pool, untouched)).toEqual([0])
  })

  const FAMILY = `
    CREATE TABLE parent (k ext.citext PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, p ext.citext);
    INSERT INTO parent VALUES ('anna'), ('bob');
    INSERT INTO child VALUES (1, 'anna'), (2, 'Anna'), (3, 'BOB'), (4, 'nobody')`
  const reference = foreignKey({ columns: { p: 'k' }, references: 'parent' })
  const repaired = (constraint: Constraint, onViolation: 'delete' | 'report') =>
    validateConstraintAndRepair({
      name: 'repair',
      table: 'child',
      constraintName: 'child_c',
      constraint,
      onViolation,
      maxViolations: 'unlimited',
    })
  const family = async (constraint: Constraint, searchPath: string) => {
    const made = await fresh(FAMILY, searchPath)
    await queued(made, repaired(constraint, 'delete')).then((updater) => updater.cancel('repair'))
    await addConstraint(made.database, { constraintName: 'child_c', table: 'child', constraint, update: 'repair' })
    return made
  }

  it.each(['delete', 'report'] as const)('a repair by %s refuses a foreign key over such columns', async (how) => {
    const { pool, walker } = await family(reference, 'public')
    const error = await runToEnd(walker, repaired(reference, how), { enqueue: false })
    expect(error).toBeInstanceOf(SchemaMismatchError)
    expect(error?.message).toMatch(/public\.child: the column "p" of type ext\.citext/)
    expect(await ids(pool, 'SELECT id FROM child ORDER BY id')).toEqual([1, 2, 3, 4])
  })

  it('a repair refuses a foreign key where only the parent is of such a type', async () => {
    const { pool, walker, database } = await fresh(`
      CREATE FUNCTION ext.spelled(name) RETURNS ext.citext IMMUTABLE LANGUAGE sql AS 'SELECT $1::text::ext.citext';
      CREATE CAST (name AS ext.citext) WITH FUNCTION ext.spelled(name) AS IMPLICIT;
      CREATE TABLE parent (k ext.citext PRIMARY KEY);
      CREATE TABLE child (id int PRIMARY KEY, p name);
      INSERT INTO parent VALUES ('anna');
      INSERT INTO child VALUES (1, 'Anna'), (2, 'nobody')`)
    await queued({ database }, repaired(reference, 'delete')).then((updater) => updater.cancel('repair'))
    await addConstraint(database, {
      constraintName: 'child_c',
      table: 'child',
      constraint: reference,
      update: 'repair',
    })
    const error = await runToEnd(walker, repaired(reference, 'delete'), { enqueue: false })
    expect(error?.message).toMatch(/public\.parent: the column "k" of type ext\.citext/)
    expect(await ids(pool, 'SELECT id FROM child ORDER BY id')).toEqual([1, 2])
  })

  it('deletes only orphans when the schema is on the path', async () => {
    const { pool, walker } = await family(reference, 'public,ext')
    expect(await runToEnd(walker, repaired(reference, 'delete'), { enqueue: false })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM child ORDER BY id')).toEqual([1, 2, 3])
  })

  it('a repair refuses unique columns of such a type', async () => {
    const constraint = unique(['p'])
    const { pool, walker } = await family(constraint, 'public')
    const error = await runToEnd(walker, repaired(constraint, 'delete'), { enqueue: false })
    expect(error?.message).toMatch(/public\.child: the column "p" of type ext\.citext/)
    expect(await ids(pool, 'SELECT id FROM child ORDER BY id')).toEqual([1, 2, 3, 4])
  })

  it('validateConstraint counts no rows by the wrong operators', async () => {
    const { walker } = await family(reference, 'public')
    const update = validateConstraint({ name: 'repair', table: 'child', constraintName: 'child_c' })
    const error = await runToEnd(walker, update, { enqueue: false })
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    expect(error).toMatchObject({ count: null, samples: [] })
  })

  it('sees a cascade by the operators of its foreign key', async () => {
    const { pool, walker, database } = await fresh(`
      CREATE TABLE parent (k int PRIMARY KEY);
      CREATE TABLE child (id int PRIMARY KEY, p int, slug ext.citext UNIQUE, big bigint UNIQUE);
      CREATE TABLE note (slug ext.citext REFERENCES child (slug) ON DELETE CASCADE);
      INSERT INTO child VALUES (1, 7, 'Hello');
      INSERT INTO note VALUES ('HELLO')`)
    await queued({ database }, repaired(reference, 'delete')).then((updater) => updater.cancel('repair'))
    await addConstraint(database, {
      constraintName: 'child_c',
      table: 'child',
      constraint: reference,
      update: 'repair',
    })
    const error = await runToEnd(walker, repaired(reference, 'delete'), { enqueue: false })
    expect(error).toBeInstanceOf(CascadeRefusedError)
    expect(await ids(pool, 'SELECT slug::text AS id FROM note')).toEqual(['HELLO'])
  })
})
