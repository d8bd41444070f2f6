import type pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fromPg } from 'evenkeel/pg'
import {
  createIndex,
  DuplicateKeysError,
  IndexDefinitionError,
  IndexNameTakenError,
  IndexRefusedError,
  ReplacedIndexError,
} from '../../src/updates/create-index.js'
import type { CreateIndexOptions } from '../../src/updates/create-index.js'
import { failure, indexes, until, validity } from '../support/indexes.js'
import { crashAfter, runOneShot } from '../support/one-shot.js'
import { describePostgres } from '../support/postgres.js'

describePostgres('createIndex', (postgres) => {
  const users = async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query(`
      CREATE TABLE users (id bigint PRIMARY KEY, dropped int, email text NOT NULL, "Name" varchar(50), score numeric);
      ALTER TABLE users DROP COLUMN dropped;
      INSERT INTO users SELECT n, 'User' || n || '@example.org', 'name ' || n, n FROM generate_series(1, 2000) AS n`)
    return pool
  }
  const build = (pool: pg.Pool, options: Partial<CreateIndexOptions> = {}) =>
    runOneShot(
      fromPg(pool),
      createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['email'], ...options }),
    )

  it('builds the index, and takes it for done the next time', async () => {
    const pool = await users()
    await build(pool)
    const before = await indexes(pool)
    expect(before).toMatchObject({
      users_idx: { valid: true, definition: expect.stringContaining('(email)') as string },
    })
    await build(pool)
    expect(await indexes(pool)).toEqual(before)
  })

  const shapes: Partial<CreateIndexOptions>[] = [
    { columns: [{ expression: 'lower(email)' }], where: 'score > 5', unique: true },
    { columns: [{ expression: 'lower("Name")' }, { column: 'email', order: 'desc', nulls: 'last', collate: 'C' }] },
    { columns: [{ expression: 'lower(users.email)' }] },
    { columns: [{ column: 'email', opclass: 'text_pattern_ops' }], include: ['score', 'Name'] },
    {
      columns: [
        {
          column: 'email',
          opclass: { schema: 'pg_catalog', name: 'text_ops' },
          collate: { schema: 'pg_catalog', name: 'C' },
        },
      ],
    },
    { columns: ['score', 'id'], using: 'brin' },
    {
      columns: [{ expression: `to_tsvector('simple', email)` }],
      using: 'gin',
      where: `email LIKE 'a%' OR email IN ('x', 'y')`,
    },
    { columns: [{ expression: '(score + 1)', order: 'desc' }, 'id'], where: 'score IS NOT NULL' },
    { columns: ['email'], using: 'hash' },
  ]
  it.each(shapes.map((options) => [JSON.stringify(options), options] as const))(
    'knows its own %s again',
    async (_, options) => {
      const pool = await users()
      await build(pool, options)
      const before = await indexes(pool)
      expect(before.users_idx?.valid).toBe(true)
      await build(pool, options)
      expect(await indexes(pool)).toEqual(before)
    },
  )

  it.each([
    [
      `CREATE UNIQUE INDEX users_idx ON users USING btree (lower((email)::text) ASC NULLS LAST) WHERE (NOT ((score <= 5)))`,
      false,
    ],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email)) WHERE score > 5::numeric`, true],
    [
      `CREATE UNIQUE INDEX users_idx ON users (LOWER(email) text_ops) WITH (fillfactor = 70) WHERE (users.score) > 5`,
      true,
    ],
    [`CREATE INDEX users_idx ON users (lower(email)) WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email)) WHERE score > 6`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email))`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (email) WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email) DESC) WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email) COLLATE "C") WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email) text_pattern_ops) WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email), id) WHERE score > 5`, false],
    [`CREATE UNIQUE INDEX users_idx ON users (lower(email)) INCLUDE (id) WHERE score > 5`, false],
  ])('compares with %s: %s', async (sql, same) => {
    const pool = await users()
    await pool.query(sql)
    const before = await indexes(pool)
    const wanted = build(pool, { unique: true, columns: [{ expression: 'lower(email)' }], where: 'score > 5' })
    if (same) await wanted
    else await expect(wanted).rejects.toThrow(IndexDefinitionError)
    expect(await indexes(pool)).toEqual(before)
  })

  it('compares without the right to make temporary tables', async () => {
    const { pool, url, openPool } = await withRole()
    await pool.query(`CREATE INDEX items_idx ON shop.items (lower(name))`)
    const asOwner = openPool({ connectionString: url })
    await expect(asOwner.query('CREATE TEMPORARY TABLE x (a int)')).rejects.toThrow(/permission denied/)
    const options = { name: 'u', index: 'items_idx', table: { schema: 'shop', name: 'items' } }
    await runOneShot(fromPg(asOwner), createIndex({ ...options, columns: [{ expression: 'LOWER(name)' }] }))
    await expect(runOneShot(fromPg(asOwner), createIndex({ ...options, columns: ['name'] }))).rejects.toThrow(
      IndexDefinitionError,
    )
    await runOneShot(
      fromPg(asOwner),
      createIndex({ ...options, index: 'fresh_idx', columns: ['name'], replaces: 'items_idx' }),
    )
    expect(await validity(pool)).toEqual({ fresh_idx: true })
    const { rows } = await pool.query(`SELECT relname FROM pg_class WHERE relname LIKE 'evenkeel%'`)
    expect(rows).toEqual([])
  })

  const withRole = async () => {
    const database = await postgres.freshDatabase()
    const role = `role_${database.name}`
    await database.pool.query(`
      CREATE ROLE ${role} LOGIN PASSWORD 'secret';
      REVOKE TEMPORARY ON DATABASE ${database.name} FROM PUBLIC;
      CREATE SCHEMA shop AUTHORIZATION ${role};
      CREATE TABLE shop.items (id int, name text);
      ALTER TABLE shop.items OWNER TO ${role}`)
    onTestFinished(async () => {
      await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    })
    const url = new URL(database.url)
    url.username = role
    url.password = 'secret'
    return { pool: database.pool, url: url.href, openPool: database.openPool.bind(database) }
  }

  it('drops an invalid leftover and builds again', async () => {
    const pool = await users()
    await pool.query(`UPDATE users SET email = 'twice' WHERE id < 3`)
    await expect(pool.query('CREATE UNIQUE INDEX CONCURRENTLY users_idx ON users (email)')).rejects.toThrow()
    const leftover = await indexes(pool)
    expect(leftover.users_idx?.valid).toBe(false)
    await build(pool)
    const after = await indexes(pool)
    expect(after.users_idx?.valid).toBe(true)
    expect(after.users_idx?.oid).not.toBe(leftover.users_idx?.oid)
  })

  it('leaves no invalid index behind, and tells which keys are duplicates', async () => {
    const pool = await users()
    await pool.query(`
      UPDATE users SET email = 'TWICE' WHERE id < 3;
      UPDATE users SET email = 'thrice' WHERE id BETWEEN 10 AND 12;
      UPDATE users SET email = 'not in the index' WHERE score > 1990`)
    const error = await failure(
      build(pool, { unique: true, columns: [{ expression: 'lower(email)' }], where: 'score < 1990' }),
    )
    expect(error).toBeInstanceOf(DuplicateKeysError)
    expect(error).toMatchObject({
      code: 'DUPLICATE_KEYS',
      permanent: true,
      duplicateKeys: 2,
      samples: [
        { key: ['thrice'], rows: 3 },
        { key: ['twice'], rows: 2 },
      ],
    })
    expect((error as Error).message).toContain(
      '2 keys are in more than one row: ("thrice") in 3 rows, ("twice") in 2 rows',
    )
    expect(Object.keys(await indexes(pool))).toEqual(['users_pkey'])
  })

  it('takes comments at the end of a condition and an expression', async () => {
    const pool = await users()
    const commented = {
      unique: true,
      columns: [{ expression: 'lower(email) -- as typed' }],
      where: 'score < 1990 -- the old ones',
    }
    await pool.query(`UPDATE users SET email = 'TWICE' WHERE id < 3`)
    expect(await failure(build(pool, commented))).toMatchObject({
      code: 'DUPLICATE_KEYS',
      samples: [{ key: ['twice'], rows: 2 }],
    })
    await pool.query('DELETE FROM users WHERE id = 1')
    await build(pool, commented)
    expect((await indexes(pool)).users_idx?.valid).toBe(true)
    await build(pool, commented)
  })

  it('counts NULLs as duplicates only where the index does', async () => {
    const pool = await users()
    await pool.query('UPDATE users SET score = NULL WHERE id < 4')
    await build(pool, { columns: ['score'], unique: true })
    const distinct = build(pool, { index: 'nulls_idx', columns: ['score'], unique: true, nullsNotDistinct: true })
    if (postgres.version < 15) {
      await expect(distinct).rejects.toMatchObject({ code: 'UNSUPPORTED', permanent: true })
      return
    }
    expect(await failure(distinct)).toMatchObject({ samples: [{ key: [null], rows: 3 }], duplicateKeys: 1 })
    await pool.query('DELETE FROM users WHERE id < 3')
    await build(pool, { index: 'nulls_idx', columns: ['score'], unique: true, nullsNotDistinct: true })
    await build(pool, { index: 'nulls_idx', columns: ['score'], unique: true, nullsNotDistinct: true })
    await expect(build(pool, { index: 'nulls_idx', columns: ['score'], unique: true })).rejects.toThrow(
      IndexDefinitionError,
    )
  })

  it('refuses a name that something else has', async () => {
    const pool = await users()
    await pool.query(`
      CREATE TABLE other (id int, email text);
      CREATE INDEX other_idx ON other (email);
      CREATE VIEW a_view AS SELECT 1;
      CREATE SCHEMA elsewhere;
      CREATE TABLE elsewhere.users (email text);
      CREATE INDEX users_idx ON elsewhere.users (email)`)
    await expect(build(pool, { index: 'other_idx' })).rejects.toThrow(IndexNameTakenError)
    await expect(build(pool, { index: 'a_view' })).rejects.toThrow(IndexNameTakenError)
    await expect(build(pool, { index: 'other' })).rejects.toThrow(/is no index/)
    await build(pool)
    const { rows } = await pool.query(`SELECT schemaname FROM pg_indexes WHERE indexname = 'users_idx' ORDER BY 1`)
    expect(rows).toEqual([{ schemaname: 'elsewhere' }, { schemaname: 'public' }])
  })

  it('quotes every name', async () => {
    const { pool } = await postgres.freshDatabase()
    const hostile = `a"b'; DROP TABLE x; --`
    await pool.query(
      `CREATE SCHEMA "Sch""ema"; CREATE TABLE "Sch""ema"."select" ("${hostile.replaceAll('"', '""')}" text, "User" int)`,
    )
    const update = createIndex({
      name: 'u',
      index: `${hostile} idx`,
      table: { schema: 'Sch"ema', name: 'select' },
      columns: [hostile, { column: 'User', order: 'desc' }],
      replaces: `${hostile} old`,
    })
    await runOneShot(fromPg(pool), update)
    await runOneShot(fromPg(pool), update)
    expect((await indexes(pool))[`${hostile} idx`]?.valid).toBe(true)
  })

  it('says what the database refuses, at once and for good', async () => {
    const pool = await users()
    const refused = [
      { columns: [{ expression: 'lowr(email)' }] },
      { where: 'no_such_column = 1' },
      { using: 'no_such_method' },
      { columns: [{ expression: '1 / (score::int - 7)' }] },
      { columns: [{ column: 'email', opclass: 'no_such_ops' }] },
    ]
    for (const options of refused) {
      const error = await failure(build(pool, options))
      expect(error).toBeInstanceOf(IndexRefusedError)
      expect(error).toMatchObject({ permanent: true })
    }
    await expect(build(pool, { columns: ['emai'] })).rejects.toThrow(/did you mean "email"/)
    await expect(build(pool, { include: ['nmae'] })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
    await expect(build(pool, { table: 'user' })).rejects.toThrow(/did you mean "users"/)
    await expect(build(pool, { index: 'x'.repeat(64) })).rejects.toMatchObject({ code: 'INVALID_IDENTIFIER' })
    expect(Object.keys(await indexes(pool))).toEqual(['users_pkey'])
  })

  describe('settings of the session', () => {
    const settings = async (pool: pg.Pool) =>
      (
        await pool.query<{ name: string; setting: string }>(
          `SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout') ORDER BY name`,
        )
      ).rows

    it('are the former ones afterwards, also when it failed, and the timeouts are off for the build alone', async () => {
      const database = await postgres.freshDatabase()
      const pool = database.openPool({
        max: 1,
        options: '-c lock_timeout=1234 -c idle_in_transaction_session_timeout=99000',
      })
      await pool.query(`
        CREATE TABLE users (id int, email text);
        INSERT INTO users SELECT n, 'same' FROM generate_series(1, 10) AS n;
        SET statement_timeout = '77s'`)
      const before = await settings(pool)
      const timeouts: string[] = []
      const update = createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['email'] })
      await runOneShot(fromPg(pool), update, {
        wrap: (query) => async (text, values) => {
          if (text.startsWith('CREATE INDEX CONCURRENTLY')) {
            const { rows } = await query<{ s: string; l: string }>(
              `SELECT current_setting('statement_timeout') AS s, current_setting('lock_timeout') AS l`,
            )
            timeouts.push(`${rows[0]?.s} ${rows[0]?.l}`)
          }
          return query(text, values)
        },
      })
      expect(timeouts).toEqual(['0 0'])
      expect(await settings(pool)).toEqual(before)
      const failing = createIndex({ name: 'u', index: 'unique_idx', table: 'users', columns: ['email'], unique: true })
      await expect(runOneShot(fromPg(pool), failing)).rejects.toThrow(DuplicateKeysError)
      expect(await settings(pool)).toEqual(before)
      await pool.query('RESET statement_timeout; RESET lock_timeout')
      expect(await settings(pool)).toContainEqual({ name: 'lock_timeout', setting: '1234' })
    })

    it('a statement timeout of the application does not stop the build', async () => {
      const database = await postgres.freshDatabase()
      const pool = database.openPool({ max: 1, options: '-c statement_timeout=700 -c lock_timeout=700' })
      await pool.query('CREATE TABLE users (id int, email text)')
      const reader = await database.openClient()
      await reader.query('BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE')
      const building = build(pool)
      // Long enough for either timeout to strike, as the server tells by its own clock.
      await until(
        database.pool,
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONC%' AND state = 'active' AND clock_timestamp() - query_start > interval '1500 ms'`,
      )
      await reader.query('COMMIT')
      await building
      expect((await indexes(database.pool)).users_idx?.valid).toBe(true)
    })
  })

  describe('replaces', () => {
    it('drops the old index once the new one is valid', async () => {
      const pool = await users()
      await pool.query('CREATE INDEX old_idx ON users (email)')
      await build(pool, { replaces: 'old_idx', columns: ['email', 'id'] })
      expect(Object.keys(await indexes(pool))).toEqual(['users_idx', 'users_pkey'])
      await build(pool, { replaces: 'old_idx', columns: ['email', 'id'] })
    })

    it('says that there is nothing to drop, once: the name may be misspelt', async () => {
      const pool = await users()
      const told: string[] = []
      const update = createIndex({
        name: 'u',
        index: 'users_idx',
        table: 'users',
        columns: ['email'],
        replaces: 'users_odl',
      })
      const log = (message: string) => told.push(message)
      for (let times = 0; times < 2; times += 1) await runOneShot(fromPg(pool), update, { log })
      expect(told).toEqual(['there is no index users_odl for users_idx to replace: nothing will be dropped'])
    })

    it('keeps the old index when the new one fails', async () => {
      const pool = await users()
      await pool.query(`CREATE INDEX old_idx ON users (email); UPDATE users SET email = 'x'`)
      await expect(build(pool, { replaces: 'old_idx', unique: true })).rejects.toThrow(DuplicateKeysError)
      expect(Object.keys(await indexes(pool))).toEqual(['old_idx', 'users_pkey'])
    })

    it('refuses what can not or must not be dropped, before it builds', async () => {
      const pool = await users()
      await pool.query(`
        CREATE UNIQUE INDEX parent_idx ON users (score);
        CREATE TABLE child (score numeric REFERENCES users (score));
        CREATE INDEX child_idx ON child (score);
        CREATE UNIQUE INDEX identity_idx ON users (email);
        ALTER TABLE users REPLICA IDENTITY USING INDEX identity_idx;
        ALTER TABLE users ADD CONSTRAINT users_name_key UNIQUE ("Name")`)
      for (const replaces of ['users_pkey', 'users_name_key', 'parent_idx', 'identity_idx', 'child_idx', 'child']) {
        await expect(build(pool, { replaces })).rejects.toThrow(ReplacedIndexError)
      }
      expect((await indexes(pool)).users_idx).toBeUndefined()
    })
  })

  it('goes on after a crash behind any statement', async ({ signal }) => {
    // Behind every fifth of them, and each version begins at another one.
    for (let last = postgres.version % 5; !signal.aborted; last += 5) {
      const database = await postgres.freshDatabase()
      await database.pool
        .query(`CREATE TABLE t (a int, b text); INSERT INTO t SELECT n, n FROM generate_series(1, 50) AS n;
        CREATE INDEX t_old ON t (a)`)
      const crash = crashAfter(last)
      const pool = database.openPool({ max: 1 })
      const update = createIndex({
        name: 'u',
        index: 't_new',
        table: 't',
        columns: [{ expression: 'lower(b)' }],
        unique: true,
        replaces: 't_old',
        analyze: true,
      })
      await runOneShot(fromPg(pool), update, crash).catch((error: unknown) => expect(String(error)).toMatch(/crashed/))
      await pool.end()
      await runOneShot(fromPg(database.pool), update)
      expect(Object.entries(await indexes(database.pool)).map(([name, { valid }]) => [name, valid])).toEqual([
        ['t_new', true],
      ])
      if (!crash.crashed()) break
      await database.dispose()
    }
  })

  it('analyzes the table when it is told to', async () => {
    const pool = await users()
    const statistics = async () => (await pool.query(`SELECT FROM pg_stats WHERE tablename = 'users_idx'`)).rowCount
    await build(pool, { columns: [{ expression: 'lower(email)' }] })
    expect(await statistics()).toBe(0)
    await build(pool, { columns: [{ expression: 'lower(email)' }], analyze: true })
    expect(await statistics()).toBe(1)
  })

  it('works on a materialized view, and refuses a view', async () => {
    const pool = await users()
    await pool.query('CREATE MATERIALIZED VIEW seen AS SELECT * FROM users; CREATE VIEW shown AS SELECT * FROM users')
    await build(pool, { table: 'seen' })
    await build(pool, { table: 'seen' })
    await expect(build(pool, { table: 'shown', index: 'x' })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
  })

  it('knows columns of domain, enum, array, identity and generated kind again', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query(`
      CREATE DOMAIN mail AS varchar(90) CHECK (VALUE LIKE '%@%');
      CREATE TYPE mood AS ENUM ('good', 'bad');
      CREATE TABLE t (
        id bigint GENERATED ALWAYS AS IDENTITY,
        mail mail COLLATE "C",
        mood mood DEFAULT 'good',
        tags text[],
        twice bigint GENERATED ALWAYS AS (7 * 2) STORED,
        serial serial
      )`)
    const update = createIndex({
      name: 'u',
      index: 't_idx',
      table: 't',
      columns: ['mail', 'mood', 'twice', 'serial', 'tags', { expression: `lower(mail)` }],
      where: `mood = 'bad'`,
    })
    await runOneShot(fromPg(pool), update)
    const before = await indexes(pool)
    await runOneShot(fromPg(pool), update)
    expect(await indexes(pool)).toEqual(before)
  })
})
