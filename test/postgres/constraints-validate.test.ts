import type pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { SchemaMismatchError, UnsupportedError, type OneShotUpdate } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { check, foreignKey, unique } from '../../src/updates/constraints/constraint.js'
import {
  ConstraintDefinitionError,
  ConstraintMissingError,
  ConstraintViolationsError,
} from '../../src/updates/constraints/errors.js'
import { setNotNull } from '../../src/updates/constraints/set-not-null.js'
import {
  validateConstraint,
  type ValidateConstraintOptions,
} from '../../src/updates/constraints/validate-constraint.js'
import { DuplicateKeysError } from '../../src/updates/create-index.js'
import { constraints, runToEnd } from '../support/constraints.js'
import { failure, indexes } from '../support/indexes.js'
import { crashAfter, runOneShot } from '../support/one-shot.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'

/** Runs it in a process that dies after its `last`-th statement, as far as it got. */
async function runAndCrash(database: TestDatabase, update: OneShotUpdate<unknown, unknown>, last: number) {
  const pool = database.openPool({ max: 1 })
  const crash = crashAfter(last)
  await runOneShot(fromPg(pool), update, { wrap: crash.wrap }).catch((error: Error) => {
    expect(error.message).toBe('crashed')
  })
  await pool.end()
  return crash
}

describePostgres('validateConstraint', (postgres) => {
  const shop = async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await pool.query(`
      CREATE TABLE users (id bigint PRIMARY KEY);
      CREATE TABLE posts (id int PRIMARY KEY, author_id bigint, title text, score int);
      INSERT INTO users SELECT generate_series(1, 10);
      INSERT INTO posts SELECT n, n, 'title ' || n, n FROM generate_series(1, 10) AS n`)
    return { pool, database }
  }
  const update = (options: Partial<ValidateConstraintOptions> = {}) =>
    validateConstraint({ name: 'v', table: 'posts', constraintName: 'posts_c', ...options })
  const validate = (pool: pg.Pool, options: Partial<ValidateConstraintOptions> = {}) =>
    runOneShot(fromPg(pool), update(options))

  it('validates without the session’s time limits, with 5 s for its lock, and puts them back', async () => {
    const { pool } = await shop()
    await pool.query('ALTER TABLE posts ADD CONSTRAINT posts_c CHECK (score > 0) NOT VALID')
    await fromPg(pool).session(async (session) => {
      const limits = async () => {
        const { rows } = await session.query(
          `SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`,
        )
        return rows[0]
      }
      await session.query(`SET statement_timeout = '30s'; SET lock_timeout = '20s'`)
      const atValidate: unknown[] = []
      const query: typeof session.query = async (text, values) => {
        if (text.includes('VALIDATE CONSTRAINT')) atValidate.push(await limits())
        return session.query(text, values)
      }
      const context = { session, query, signal: new AbortController().signal, dialect: 'postgres' }
      await update().run(context as never)
      // Whoever waits for the lock for longer holds up all other DDL.
      expect(atValidate).toEqual([{ statement: '0', lock: '5s' }])
      expect(await limits()).toEqual({ statement: '30s', lock: '20s' })
      await session.query('RESET statement_timeout; RESET lock_timeout')
    })
    expect(await constraints(pool, 'posts')).toEqual({ posts_c: 'CHECK ((score > 0))' })
    await validate(pool)
  })

  it('fails for good with count and samples, whatever kind it is', async () => {
    const { pool } = await shop()
    await pool.query(`
      INSERT INTO posts VALUES (11, 99, NULL, -1), (12, 98, NULL, -2), (13, NULL, 'x', NULL);
      ALTER TABLE posts
        ADD CONSTRAINT posts_f FOREIGN KEY (author_id) REFERENCES users NOT VALID,
        ADD CONSTRAINT posts_c CHECK (score > 0) NOT VALID,
        ADD CONSTRAINT posts_n ${postgres.version >= 18 ? 'NOT NULL title' : 'CHECK (title IS NOT NULL)'} NOT VALID`)
    const found = async (constraintName: string) => {
      const error = await failure(validate(pool, { constraintName }))
      expect(error).toBeInstanceOf(ConstraintViolationsError)
      const { count, samples, permanent } = error as ConstraintViolationsError
      return { count, samples, permanent }
    }
    expect(await found('posts_f')).toEqual({
      count: 2,
      samples: [
        { id: '11', author_id: '99' },
        { id: '12', author_id: '98' },
      ],
      permanent: true,
    })
    expect(await found('posts_c')).toMatchObject({ count: 2, samples: [{ id: '11', score: '-1' }, { id: '12' }] })
    expect(await found('posts_n')).toMatchObject({ count: 2, samples: [{ id: '11', title: null }, { id: '12' }] })
    expect((await runToEnd(pool, update()))?.message).toMatch(/2 rows of table "posts" violate constraint "posts_c"/)
  })

  it('knows a missing constraint, a missing table and another definition', async () => {
    const { pool } = await shop()
    expect(await failure(validate(pool))).toBeInstanceOf(ConstraintMissingError)
    expect(await failure(validate(pool, { table: 'post' }))).toBeInstanceOf(SchemaMismatchError)
    await pool.query('ALTER TABLE posts ADD CONSTRAINT posts_c CHECK (score > 0) NOT VALID')
    const author = foreignKey({ columns: { author_id: 'id' }, references: 'users' })
    for (const constraint of [check('score > 1'), author, unique(['score'])]) {
      expect(await failure(validate(pool, { constraint }))).toBeInstanceOf(ConstraintDefinitionError)
    }
    await validate(pool, { constraint: check('score>0') })
    expect(await failure(validate(pool, { constraint: check('score > 1') }))).toBeInstanceOf(ConstraintDefinitionError)
  })

  it('refuses wrong options', () => {
    expect(() => update({ constraintname: 'x' } as never)).toThrow(/did you mean "constraintName"/)
    expect(() => update({ constraint: 'x' as never })).toThrow(/constraint must be what foreignKey/)
  })

  it('builds and attaches a unique constraint, after a crash at any statement', async () => {
    for (let last = 1; ; last += 1) {
      const { pool, database } = await shop()
      const wanted = update({ constraint: unique(['author_id', 'title']) })
      const crash = await runAndCrash(database, wanted, last)
      await runOneShot(fromPg(pool), wanted)
      expect(await constraints(pool, 'posts')).toEqual({ posts_c: 'UNIQUE (author_id, title)' })
      expect(Object.keys(await indexes(pool))).toEqual(['posts_c', 'posts_pkey', 'users_pkey'])
      if (!crash.crashed()) break
    }
  }, 60_000)

  it('names the duplicates under a unique constraint', async () => {
    const { pool } = await shop()
    await pool.query('UPDATE posts SET score = 1 WHERE id < 4')
    const error = await failure(validate(pool, { constraint: unique(['score']) }))
    expect(error).toBeInstanceOf(DuplicateKeysError)
    expect(error).toMatchObject({ duplicateKeys: 1, samples: [{ key: ['1'], rows: 3 }] })
    expect(Object.keys(await indexes(pool))).toEqual(['posts_pkey', 'users_pkey'])
  })

  it('refuses a unique constraint on a partitioned table with a remedy', async () => {
    const { pool } = await shop()
    await pool.query('CREATE TABLE parts (id int, n int) PARTITION BY RANGE (id)')
    const options = { table: 'parts', constraint: unique(['id']) }
    expect(await failure(validate(pool, options))).toBeInstanceOf(UnsupportedError)
  })
})

describePostgres('setNotNull', (postgres) => {
  const table = async () => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await pool.query(`
      CREATE TABLE "Order" (id int PRIMARY KEY, "select" text);
      INSERT INTO "Order" SELECT n, 'x' FROM generate_series(1, 50) AS n`)
    return { pool, database }
  }
  const update = setNotNull({ name: 'n', table: 'Order', column: 'select' })
  const state = async (pool: pg.Pool) => {
    const { rows } = await pool.query<{ not_null: boolean }>(
      `SELECT attnotnull AS not_null FROM pg_attribute WHERE attrelid = '"Order"'::regclass AND attname = 'select'`,
    )
    return { notNull: rows[0]?.not_null, constraints: await constraints(pool, '"Order"') }
  }
  const done = {
    notNull: true,
    constraints: postgres.version >= 18 ? { Order_select_not_null: 'NOT NULL "select"' } : {},
  }

  it('is done after a crash at any statement and another run', async () => {
    for (let last = 1; ; last += 1) {
      const { pool, database } = await table()
      const crash = await runAndCrash(database, update, last)
      await runOneShot(fromPg(pool), update)
      expect(await state(pool)).toEqual(done)
      if (!crash.crashed()) break
    }
  }, 60_000)

  it('reads no row under the strong lock', async () => {
    const { pool } = await table()
    const notices: string[] = []
    const client = await pool.connect()
    onTestFinished(() => client.release())
    await client.query(`SET client_min_messages = 'debug1'`)
    client.on('notice', (notice) => notices.push(String(notice.message)))
    const query = async (text: string, values?: readonly unknown[]) => {
      const { rows, rowCount } = await client.query(text, values as unknown[])
      return { rows, rowCount: rowCount ?? 0 }
    }
    const context = { query, signal: new AbortController().signal, dialect: 'postgres' }
    await update.run(context as never)
    if (postgres.version < 18) {
      expect(notices.join('\n')).toMatch(/existing constraints on column "Order.select" are sufficient to prove/)
    }
    expect(await state(pool)).toEqual(done)
  })

  it('fails with the rows that hold a NULL, and goes on once they are mended', async () => {
    const { pool } = await table()
    await pool.query(`UPDATE "Order" SET "select" = NULL WHERE id IN (7, 9)`)
    const error = await runToEnd(pool, update)
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    expect(error).toMatchObject({
      count: 2,
      samples: [
        { id: '7', select: null },
        { id: '9', select: null },
      ],
    })
    await expect(pool.query(`INSERT INTO "Order" VALUES (100)`)).rejects.toThrow(/violates/)
    const { hint } = error as ConstraintViolationsError
    expect(hint).toContain('by a `backfill` that this update depends on')
    const drop = /ALTER TABLE .* DROP CONSTRAINT "\w+"/.exec(hint)?.[0] ?? 'no statement'
    await pool.query(`BEGIN; ${drop}; INSERT INTO "Order" VALUES (100); ROLLBACK`)
    await pool.query(`UPDATE "Order" SET "select" = 'y' WHERE "select" IS NULL; DELETE FROM background_updates`)
    expect(await runToEnd(pool, update)).toBeNull()
    expect(await state(pool)).toEqual(done)
  })

  it('takes a column for done that is NOT NULL already', async () => {
    const { pool } = await table()
    await pool.query(`ALTER TABLE "Order" ALTER COLUMN "select" SET NOT NULL`)
    await runOneShot(fromPg(pool), update)
    expect(await state(pool)).toEqual(done)
  })

  it('sets it on a partitioned table and its partitions', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query(`
      CREATE TABLE "Order" (id int, "select" text) PARTITION BY RANGE (id);
      CREATE TABLE part PARTITION OF "Order" FOR VALUES FROM (0) TO (100);
      INSERT INTO "Order" VALUES (1, 'x')`)
    await runOneShot(fromPg(pool), update)
    expect((await state(pool)).notNull).toBe(true)
    const { rows } = await pool.query(
      `SELECT attnotnull FROM pg_attribute WHERE attrelid = 'part'::regclass AND attname = 'select'`,
    )
    expect(rows).toEqual([{ attnotnull: true }])
  })

  it('suggests the column that was meant', async () => {
    const { pool } = await table()
    const misspelt = setNotNull({ name: 'n', table: 'Order', column: 'selec' })
    expect(await failure(runOneShot(fromPg(pool), misspelt))).toMatchObject({
      message: expect.stringContaining('did you mean "select"') as string,
    })
  })
})
