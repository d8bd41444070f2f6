import type pg from 'pg'
import { expect, it } from 'vitest'
import { BackgroundUpdater, NotInstalledError, SchemaMismatchError, UnsupportedError } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { addConstraint, type AddConstraintOptions } from '../../src/updates/constraints/add-constraint.js'
import { check, foreignKey, notNull, unique } from '../../src/updates/constraints/constraint.js'
import {
  ConstraintDefinitionError,
  ConstraintRefusedError,
  LockNotAvailableError,
} from '../../src/updates/constraints/errors.js'
import { validateConstraint } from '../../src/updates/constraints/validate-constraint.js'
import { constraints, queued, runToEnd } from '../support/constraints.js'
import { failure, until } from '../support/indexes.js'
import { describePostgres } from '../support/postgres.js'

const author = foreignKey({ columns: { author_id: 'id' }, references: 'users' })

describePostgres('addConstraint', (postgres) => {
  const shop = async () => {
    const database = await postgres.freshDatabase()
    await new BackgroundUpdater({ database: fromPg(database.pool), updates: [] }).install()
    await database.pool.query(`
      CREATE TABLE users (id bigint PRIMARY KEY);
      CREATE TABLE posts (id int PRIMARY KEY, author_id bigint, title text, score int);
      INSERT INTO users SELECT generate_series(1, 10);
      INSERT INTO posts SELECT n, n, 'title ' || n, n FROM generate_series(1, 20) AS n`)
    return database
  }
  const add = (pool: pg.Pool, options: Partial<AddConstraintOptions<pg.PoolClient>> = {}) =>
    addConstraint(fromPg(pool), {
      constraintName: 'posts_c',
      table: 'posts',
      constraint: author,
      update: 'validate_posts_c',
      ...options,
    })

  it('adds it NOT VALID with its row in the queue; again changes nothing', async () => {
    const { pool } = await shop()
    const options = { ordering: 5, dependsOn: ['a', 'b'], by: 'me' }
    expect(await add(pool, options)).toEqual({ constraint: 'added', update: 'enqueued' })
    const { rows } = await pool.query(
      'SELECT update_name, depends_on, ordering, progress_json, enqueued_by FROM background_updates',
    )
    expect(rows).toEqual([
      { update_name: 'validate_posts_c', depends_on: 'a,b', ordering: 5, progress_json: '{}', enqueued_by: 'me' },
    ])
    const before = await constraints(pool, 'posts')
    expect(before).toEqual({ posts_c: 'FOREIGN KEY (author_id) REFERENCES users(id) NOT VALID' })
    expect(await add(pool)).toEqual({ constraint: 'exists', update: 'queued' })
    await pool.query('DELETE FROM background_updates')
    expect(await add(pool)).toEqual({ constraint: 'exists', update: 'enqueued' })
    expect(await constraints(pool, 'posts')).toEqual(before)
    await expect(pool.query('INSERT INTO posts VALUES (99, 99)')).rejects.toThrow(/foreign key/)
  })

  it('isn’t enqueued again once it was validated', async () => {
    const { pool } = await shop()
    await pool.query('DELETE FROM posts WHERE author_id > 10')
    await add(pool)
    const update = validateConstraint({ name: 'validate_posts_c', table: 'posts', constraintName: 'posts_c' })
    expect(await runToEnd(pool, update, { enqueue: false })).toBeNull()
    expect(await constraints(pool, 'posts')).toEqual({ posts_c: 'FOREIGN KEY (author_id) REFERENCES users(id)' })
    expect(await add(pool)).toEqual({ constraint: 'exists', update: 'finished' })
    expect(await queued(pool)).toEqual([])
  })

  it('adds checks and NOT NULL', async () => {
    const { pool } = await shop()
    await add(pool, { constraint: check('score > 0 -- positive'), constraintName: 'posts_check' })
    await add(pool, { constraint: notNull('title'), constraintName: 'posts_title' })
    expect(await constraints(pool, 'posts')).toEqual({
      posts_check: 'CHECK ((score > 0)) NOT VALID',
      posts_title: postgres.version >= 18 ? 'NOT NULL title NOT VALID' : 'CHECK ((title IS NOT NULL)) NOT VALID',
    })
    expect(await add(pool, { constraint: check('posts.score>0'), constraintName: 'posts_check' })).toMatchObject({
      constraint: 'exists',
    })
    expect(await add(pool, { constraint: notNull('title'), constraintName: 'posts_title' })).toMatchObject({
      constraint: 'exists',
    })
  })

  it('enqueues a unique constraint, whose index is built first', async () => {
    const { pool } = await shop()
    const constraint = unique(['title', 'score'])
    const expected = { constraint: 'pending', update: 'enqueued' }
    expect(await add(pool, { constraint, constraintName: 'posts_key' })).toEqual(expected)
    expect(await constraints(pool, 'posts')).toEqual({})
    expect(await queued(pool)).toEqual(['validate_posts_c'])
  })

  it.each([
    ['FOREIGN KEY (author_id) REFERENCES users(id) ON DELETE CASCADE'],
    ['FOREIGN KEY (author_id) REFERENCES users(id) DEFERRABLE'],
    ['FOREIGN KEY (author_id) REFERENCES users(id) MATCH FULL'],
    ['FOREIGN KEY (id) REFERENCES users(id)'],
    ['CHECK (author_id > 0)'],
    ['UNIQUE (author_id)'],
  ])('refuses the name of another constraint: %s', async (definition) => {
    const { pool } = await shop()
    await pool.query('DELETE FROM posts WHERE author_id > 10')
    await pool.query(`ALTER TABLE posts ADD CONSTRAINT posts_c ${definition}`)
    const before = await constraints(pool, 'posts')
    await expect(add(pool)).rejects.toThrow(ConstraintDefinitionError)
    await expect(add(pool, { constraint: check('id > 0') })).rejects.toThrow(ConstraintDefinitionError)
    expect(await constraints(pool, 'posts')).toEqual(before)
    expect(await queued(pool)).toEqual([])
  })

  it.runIf(postgres.version >= 18)('refuses one that says the same and isn’t enforced', async () => {
    const { pool } = await shop()
    await pool.query(`
      ALTER TABLE posts
        ADD CONSTRAINT posts_c FOREIGN KEY (author_id) REFERENCES users(id) NOT ENFORCED,
        ADD CONSTRAINT posts_d CHECK (id > 0) NOT ENFORCED`)
    await expect(add(pool)).rejects.toThrow(ConstraintDefinitionError)
    const same = { constraintName: 'posts_d', constraint: check('id > 0') }
    await expect(add(pool, same)).rejects.toThrow(ConstraintDefinitionError)
    expect(await queued(pool)).toEqual([])
  })

  it('pairs the columns in the declared direction', async () => {
    const { pool } = await shop()
    await pool.query('CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE links (a int, b int)')
    const crossed = foreignKey({ columns: { a: 'b', b: 'a' }, references: 'pairs', onDelete: 'set null' })
    await add(pool, { table: 'links', constraint: crossed })
    expect(await constraints(pool, 'links')).toEqual({
      posts_c: 'FOREIGN KEY (a, b) REFERENCES pairs(b, a) ON DELETE SET NULL NOT VALID',
    })
    const turned = foreignKey({ columns: { b: 'a', a: 'b' }, references: 'pairs', onDelete: 'set null' })
    expect(await add(pool, { table: 'links', constraint: turned })).toMatchObject({ constraint: 'exists' })
    const straight = foreignKey({ columns: { a: 'a', b: 'b' }, references: 'pairs', onDelete: 'set null' })
    await expect(add(pool, { table: 'links', constraint: straight })).rejects.toThrow(ConstraintDefinitionError)
  })

  it('joins the caller’s transaction, and leaves it usable', async () => {
    const { pool } = await shop()
    const client = await pool.connect()
    try {
      await client.query(`SET lock_timeout = '7s'`)
      await client.query('BEGIN')
      await client.query('CREATE TABLE mine (id int, author_id bigint)')
      await add(pool, { table: 'mine', tx: client })
      const setting = await client.query<{ lock_timeout: string }>('SHOW lock_timeout')
      expect(setting.rows[0]?.lock_timeout).toBe('7s')
      expect(await queued(pool)).toEqual([])
      await client.query('COMMIT')
      expect(await queued(pool)).toEqual(['validate_posts_c'])
      await client.query('BEGIN')
      const missing = { table: 'mine', constraint: foreignKey({ columns: { nope: 'id' }, references: 'users' }) }
      await expect(add(pool, { ...missing, constraintName: 'x', tx: client })).rejects.toThrow(SchemaMismatchError)
      await client.query('INSERT INTO mine VALUES (1, 1)')
      await client.query('ROLLBACK')
    } finally {
      await client.query('RESET lock_timeout')
      client.release()
    }
  })

  it('rolls back both with the caller’s transaction', async () => {
    const { pool } = await shop()
    const client = await pool.connect()
    await client.query('BEGIN')
    await add(pool, { tx: client })
    await client.query('ROLLBACK')
    client.release()
    expect(await constraints(pool, 'posts')).toEqual({})
    expect(await queued(pool)).toEqual([])
  })

  it('in the caller’s transaction gives up a lock soon, with a typed error', async () => {
    const database = await shop()
    const reader = await database.openClient()
    await reader.query('BEGIN; LOCK TABLE posts IN SHARE MODE')
    const client = await database.pool.connect()
    await client.query('BEGIN')
    expect(await failure(add(database.pool, { tx: client }))).toBeInstanceOf(LockNotAvailableError)
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.query('ROLLBACK')
    client.release()
  })

  it('lets queries through between its tries while an old reader holds the table, and gets there in the end', async () => {
    const database = await shop()
    const { pool } = database
    const reader = await database.openClient()
    await reader.query('BEGIN; SELECT count(*) FROM posts')
    let pauses = 0
    const clock = {
      nowMs: () => 0,
      // Between two tries nothing waits and nothing is locked by us; the reader goes after the second.
      async sleep() {
        pauses += 1
        const waiting = await pool.query(`
          SELECT FROM pg_locks
          WHERE relation = 'posts'::regclass AND (NOT granted OR mode = 'AccessExclusiveLock')`)
        expect(waiting.rowCount).toBe(0)
        await pool.query('SELECT count(*) FROM posts')
        if (pauses === 2) await reader.query('COMMIT')
      },
    }
    const adding = add(pool, { constraint: check('score > 0'), clock, random: () => 0.5 })
    const watcher = await database.openClient()
    // While it waits, a query behind it waits too, but no longer than the lock_timeout.
    const isWaiting = `SELECT FROM pg_locks WHERE relation = 'posts'::regclass AND NOT granted`
    await until(pool, isWaiting)
    await watcher.query(`SET statement_timeout = '30s'`)
    await watcher.query('SELECT count(*) FROM posts')
    expect(await adding).toEqual({ constraint: 'added', update: 'enqueued' })
    expect(pauses).toBe(2)
  })

  it('takes hostile names', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE SCHEMA "my ""schema";
      CREATE TABLE "my ""schema"."Select" ("From" int PRIMARY KEY, "a.b" int)`)
    const table = { schema: 'my "schema', name: 'Select' }
    const constraint = foreignKey({ columns: { 'a.b': 'From' }, references: table })
    const options = { table, constraint, constraintName: `it's "mine"; DROP`, update: `it's "mine"` }
    await add(pool, options)
    expect(await add(pool, options)).toEqual({ constraint: 'exists', update: 'queued' })
    expect(await add(pool, { ...options, constraint: check('"a.b" > 0'), constraintName: 'other' })).toMatchObject({
      constraint: 'added',
    })
  })

  it('refuses names that PostgreSQL would cut', async () => {
    const { pool } = await shop()
    await expect(add(pool, { constraintName: 'é'.repeat(32) })).rejects.toThrow(/63 bytes/)
  })

  it('suggests what was meant', async () => {
    const { pool } = await shop()
    await expect(add(pool, { constrantName: 'x' } as never)).rejects.toThrow(/did you mean "constraintName"/)
    await expect(add(pool, { table: 'post' })).rejects.toThrow(/did you mean "posts"/)
    await expect(add(pool, { constraint: notNull('titl') })).rejects.toThrow(/did you mean "title"/)
    const wrongParent = foreignKey({ columns: { author_id: 'idd' }, references: 'users' })
    await expect(add(pool, { constraint: wrongParent })).rejects.toThrow(/did you mean "id"/)
    await expect(add(pool, { constraint: check('scor > 0') })).rejects.toThrow(ConstraintRefusedError)
    const noKey = foreignKey({ columns: { author_id: 'score' }, references: 'posts' })
    await expect(add(pool, { constraint: noKey })).rejects.toThrow(ConstraintRefusedError)
  })

  it('says that Evenkeel isn’t installed', async () => {
    const { pool } = await postgres.freshDatabase()
    await pool.query('CREATE TABLE users (id bigint PRIMARY KEY); CREATE TABLE posts (id int, author_id bigint)')
    await expect(add(pool)).rejects.toThrow(NotInstalledError)
    const client = await pool.connect()
    await client.query('BEGIN')
    await expect(add(pool, { tx: client })).rejects.toThrow(NotInstalledError)
    await client.query('ROLLBACK')
    client.release()
  })

  it('partitioned tables: what PostgreSQL allows, and what it doesn’t with a remedy', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE TABLE parts (id int, author_id bigint, n int) PARTITION BY RANGE (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
      INSERT INTO parts VALUES (1, 1, 1)`)
    await add(pool, { table: 'parts', constraint: check('n > 0') })
    const foreign = { table: 'parts', constraint: author, constraintName: 'parts_author' }
    if (postgres.version >= 18) await add(pool, foreign)
    else expect(await failure(add(pool, foreign))).toBeInstanceOf(UnsupportedError)
    const key = { table: 'parts', constraint: unique(['id']), constraintName: 'parts_key' }
    expect(await failure(add(pool, key))).toBeInstanceOf(UnsupportedError)
    // The remedy that the error names.
    if (postgres.version >= 18) return
    await add(pool, { ...foreign, table: 'parts_1' })
    await pool.query('ALTER TABLE parts_1 VALIDATE CONSTRAINT parts_author')
    await pool.query('ALTER TABLE parts ADD CONSTRAINT parts_author FOREIGN KEY (author_id) REFERENCES users (id)')
    expect(Object.keys(await constraints(pool, 'parts_1'))).toEqual(['parts_author', 'posts_c'])
  })
})
