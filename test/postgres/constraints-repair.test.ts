import type pg from 'pg'
import { expect, it } from 'vitest'
import { BackgroundUpdater, SchemaMismatchError } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { addConstraint } from '../../src/updates/constraints/add-constraint.js'
import { check, foreignKey, notNull, unique, type Constraint } from '../../src/updates/constraints/constraint.js'
import {
  CascadeRefusedError,
  ConstraintDefinitionError,
  ConstraintMissingError,
  ConstraintViolationsError,
  LockNotAvailableError,
  RepairIncompleteError,
  RepairRefusedError,
} from '../../src/updates/constraints/errors.js'
import {
  validateConstraintAndRepair,
  type ValidateAndRepairOptions,
} from '../../src/updates/constraints/validate-constraint-and-repair.js'
import { validateConstraint } from '../../src/updates/constraints/validate-constraint.js'
import { constraints, ids, queued, runToEnd } from '../support/constraints.js'
import { until } from '../support/indexes.js'
import { describePostgres } from '../support/postgres.js'

const author = foreignKey({ columns: { author_id: 'id' }, references: 'users' })

describePostgres('validateConstraintAndRepair', (postgres) => {
  // Of 100 posts every third has no author's row, every tenth no author at all.
  const shop = async (constraint: Constraint | null = author) => {
    const database = await postgres.freshDatabase()
    const { pool } = database
    await new BackgroundUpdater({ database: fromPg(pool), updates: [] }).install()
    await pool.query(`
      CREATE TABLE users (id bigint PRIMARY KEY, parent bigint);
      CREATE TABLE posts (id int PRIMARY KEY, author_id bigint, title text, score int);
      INSERT INTO users SELECT generate_series(1, 100);
      INSERT INTO posts
      SELECT n, CASE WHEN n % 10 = 0 THEN NULL WHEN n % 3 = 0 THEN n + 1000 ELSE n END, 'title ' || n, n
      FROM generate_series(1, 100) AS n`)
    if (constraint !== null) await add(pool, constraint)
    return database
  }
  const add = (pool: pg.Pool, constraint: Constraint, table = 'posts') =>
    addConstraint(fromPg(pool), { constraintName: 'posts_c', table, constraint, update: 'repair' })
  const update = (options: Partial<ValidateAndRepairOptions> = {}) =>
    validateConstraintAndRepair({
      name: 'repair',
      table: 'posts',
      constraintName: 'posts_c',
      constraint: author,
      onViolation: 'delete',
      maxViolations: 'unlimited',
      ...options,
    })
  const repair = (pool: pg.Pool, options: Partial<ValidateAndRepairOptions> = {}) =>
    runToEnd(pool, update(options), { enqueue: false, batchSize: 7 })
  const valid = { posts_c: 'FOREIGN KEY (author_id) REFERENCES users(id)' }
  const bad = Array.from({ length: 100 }, (_, index) => index + 1).filter((n) => n % 3 === 0 && n % 10 !== 0)

  it('validates at once what nothing violates', async () => {
    const { pool } = await shop()
    await pool.query('DELETE FROM posts WHERE author_id > 1000')
    expect(await repair(pool)).toBeNull()
    expect(await constraints(pool, 'posts')).toEqual(valid)
    const { rows } = await pool.query('SELECT outcome, batches::int, items::int FROM background_update_history')
    expect(rows).toEqual([{ outcome: 'completed', batches: 1, items: 0 }])
  })

  it('deletes what violates it, and nothing else', async () => {
    const { pool } = await shop()
    expect(await repair(pool)).toBeNull()
    expect(await constraints(pool, 'posts')).toEqual(valid)
    expect(await ids(pool, 'SELECT id FROM posts ORDER BY id')).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 1).filter((id) => !bad.includes(id)),
    )
    const { rows } = await pool.query('SELECT items::int, progress_json FROM background_update_history')
    expect(rows[0]).toMatchObject({ items: 100 })
    expect(await queued(pool)).toEqual([])
  })

  it('keeps what it deletes', async () => {
    const { pool } = await shop()
    await pool.query(
      'CREATE TABLE kept (score int, title text, id int, author_id bigint, since timestamptz DEFAULT now())',
    )
    expect(await repair(pool, { keepIn: 'kept' })).toBeNull()
    const kept = await pool.query('SELECT id, author_id::int, title, score FROM kept ORDER BY id')
    expect(kept.rows).toEqual(bad.map((id) => ({ id, author_id: id + 1000, title: `title ${id}`, score: id })))
  })

  it('refuses a table of another shape for what is deleted', async () => {
    const { pool } = await shop()
    await pool.query('CREATE TABLE kept (id int, author_id bigint, title text)')
    expect(await repair(pool, { keepIn: 'kept' })).toBeInstanceOf(SchemaMismatchError)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
  })

  it('sets the columns to NULL', async () => {
    const { pool } = await shop()
    expect(await repair(pool, { onViolation: 'null' })).toBeNull()
    expect(await constraints(pool, 'posts')).toEqual(valid)
    expect(await ids(pool, 'SELECT id FROM posts WHERE author_id IS NULL AND id % 10 <> 0 ORDER BY id')).toEqual(bad)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
  })

  it('reports without changing anything, and afresh after each retry', async () => {
    const { pool } = await shop()
    const options = { onViolation: 'report' } as const
    const error = await repair(pool, options)
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    expect(error).toMatchObject({ count: bad.length, permanent: true })
    expect((error as ConstraintViolationsError).samples[0]).toEqual({ id: '3', author_id: '1003' })
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts WHERE author_id > 1000')).toEqual([bad.length])
    await pool.query(`
      DELETE FROM posts WHERE author_id > 1000 AND id > 3;
      UPDATE background_updates SET state = 'queued', progress_json = '{"state": "check"}'`)
    expect(await repair(pool, options)).toMatchObject({ count: 1 })
    await pool.query(`DELETE FROM posts WHERE id = 3; UPDATE background_updates SET state = 'queued'`)
    expect(await repair(pool, options)).toBeNull()
  })

  it('changes nothing over the limit', async () => {
    const { pool } = await shop()
    const error = await repair(pool, { maxViolations: 5 })
    expect(error).toBeInstanceOf(ConstraintViolationsError)
    expect(error?.message).toMatch(/more than maxViolations \(5\)/)
    const [left] = await ids(pool, 'SELECT count(*)::int AS id FROM posts WHERE author_id > 1000')
    expect(left).toBeGreaterThanOrEqual(bad.length - 5)
    await pool.query(`UPDATE background_updates SET state = 'queued'`)
    expect(await repair(pool, { maxViolations: bad.length })).toBeNull()
  })

  it('touches no row of a batch that would go over the limit', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'touched'; END $$;
      CREATE TRIGGER touched BEFORE DELETE ON posts FOR EACH ROW EXECUTE FUNCTION touched()`)
    expect(await repair(pool, { maxViolations: 1 })).toBeInstanceOf(ConstraintViolationsError)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
  })

  it('rolls a batch back that repaired more than the limit, for rows began to violate since they were counted', async () => {
    // Row 1 always violates it, every other row but in the statement that counts.
    const late = check(`id > 1 AND current_query() LIKE '%AS fo' || 'und%'`)
    const { pool } = await shop(late)
    expect(await repair(pool, { constraint: late, maxViolations: 1 })).toBeInstanceOf(ConstraintViolationsError)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
  })

  it('compares crossed columns in the declared direction; NULL in one of them is no violation', async () => {
    const { pool } = await shop(null)
    await pool.query(`
      CREATE TABLE pairs (a int, b int, PRIMARY KEY (a, b));
      CREATE TABLE links (id int PRIMARY KEY, a int, b int);
      INSERT INTO pairs VALUES (1, 2);
      INSERT INTO links VALUES (1, 2, 1), (2, 1, 2), (3, NULL, 9), (4, 9, NULL), (5, NULL, NULL)`)
    const constraint = foreignKey({ columns: { a: 'b', b: 'a' }, references: 'pairs' })
    await add(pool, constraint, 'links')
    expect(await repair(pool, { table: 'links', constraint })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM links ORDER BY id')).toEqual([1, 3, 4, 5])
    expect(await constraints(pool, 'links')).toEqual({ posts_c: 'FOREIGN KEY (a, b) REFERENCES pairs(b, a)' })
  })

  it('walks a table that refers to itself until no new orphans appear', async () => {
    const { pool } = await shop(null)
    await pool.query(`UPDATE users SET parent = CASE id WHEN 50 THEN 999 WHEN 7 THEN 7 ELSE NULL END`)
    const constraint = foreignKey({ columns: { parent: 'id' }, references: 'users' })
    await add(pool, constraint, 'users')
    expect(await repair(pool, { table: 'users', constraint })).toBeNull()
    expect(await ids(pool, 'SELECT id::int FROM users WHERE id IN (7, 50)')).toEqual([7])
  })

  it('deletes no row that nobody asked to delete: a cascade is refused', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE TABLE comments (id int PRIMARY KEY, post_id int REFERENCES posts ON DELETE CASCADE);
      INSERT INTO comments VALUES (1, 1), (2, 33)`)
    const error = await repair(pool)
    expect(error).toBeInstanceOf(CascadeRefusedError)
    expect(error?.message).toMatch(/"comments" refer to rows of table "posts".*ON DELETE CASCADE.*33/)
    expect(await ids(pool, 'SELECT id FROM comments ORDER BY id')).toEqual([1, 2])
    expect(await ids(pool, 'SELECT id FROM posts WHERE id = 33')).toEqual([33])
    await pool.query(`UPDATE background_updates SET state = 'queued', fingerprint = NULL`)
    expect(await repair(pool, { allowCascade: true })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM comments ORDER BY id')).toEqual([1])
  })

  it.each([
    ['CASCADE', 'code'],
    ['SET DEFAULT', 'code'],
    ['CASCADE', 'name'],
  ])('sets to NULL nothing that others refer to by ON UPDATE: %s, to %s', async (action, column) => {
    const constraint = check(`code <> 'bad'`, { columns: ['code'] })
    const { pool } = await shop(null)
    await pool.query(`
      CREATE TABLE places (id int PRIMARY KEY, code text UNIQUE, name text UNIQUE);
      CREATE TABLE visits (id int PRIMARY KEY, place text REFERENCES places (${column}) ON UPDATE ${action});
      INSERT INTO places VALUES (1, 'good', 'good'), (2, 'bad', 'bad');
      INSERT INTO visits VALUES (1, 'good'), (2, 'bad')`)
    await add(pool, constraint, 'places')
    const options = { table: 'places', constraint, onViolation: 'null' as const }
    const places = `SELECT coalesce(place, 'none') AS id FROM visits ORDER BY visits.id`
    if (column === 'code') {
      const error = await repair(pool, options)
      expect(error).toBeInstanceOf(CascadeRefusedError)
      expect(error?.message).toMatch(`"visits_place_fkey" (ON UPDATE ${action})`)
      expect(await ids(pool, places)).toEqual(['good', 'bad'])
      await pool.query(`UPDATE background_updates SET state = 'queued', fingerprint = NULL`)
    }
    expect(await repair(pool, { ...options, allowCascade: column === 'code' })).toBeNull()
    expect(await ids(pool, places)).toEqual(['good', column === 'code' ? 'none' : 'bad'])
  })

  it.each([
    ['char', 'char(4)', 'text'],
    ['char, of a domain', 'char(4)', 'word'],
    ['a collation', 'text COLLATE "C"', 'text COLLATE "POSIX"'],
    ['numeric', 'numeric(9, 1)', 'int'],
  ])('finds the parent as the foreign key does, not as = does: %s', async (_, parentType, ownType) => {
    const { pool } = await shop(null)
    const [code, padded, none] = parentType.startsWith('numeric') ? ['7', '07', '9'] : ['a', 'a  ', 'z']
    const same = parentType.startsWith('char') ? padded : code
    await pool.query(`
      CREATE DOMAIN word AS text;
      CREATE TABLE places (code ${parentType} PRIMARY KEY);
      CREATE TABLE visits (id int PRIMARY KEY, place ${ownType});
      INSERT INTO places VALUES ('${code}');
      INSERT INTO visits VALUES (1, '${code}'), (2, '${same}'), (3, '${none}')`)
    const constraint = foreignKey({ columns: { place: 'code' }, references: 'places' })
    await add(pool, constraint, 'visits')
    const reported = await repair(pool, { table: 'visits', constraint, onViolation: 'report' })
    expect(reported).toMatchObject({ count: 1, samples: [{ id: '3' }] })
    await pool.query(`UPDATE background_updates SET state = 'queued', fingerprint = NULL`)
    expect(await repair(pool, { table: 'visits', constraint })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM visits ORDER BY id')).toEqual([1, 2])
  })

  it.runIf(postgres.version >= 18)('leaves a foreign key alone that a period of several parents fulfils', async () => {
    const { pool } = await shop(null)
    await pool.query(`
      CREATE EXTENSION btree_gist;
      CREATE TABLE prices (item int, valid daterange, PRIMARY KEY (item, valid WITHOUT OVERLAPS));
      CREATE TABLE sales (id int PRIMARY KEY, item int, valid daterange);
      INSERT INTO prices VALUES (1, '[2019-01-01,2020-01-01)'), (1, '[2020-01-01,2022-01-01)');
      INSERT INTO sales VALUES (1, 1, '[2019-06-01,2021-06-01)'), (2, 9, '[2019-06-01,2021-06-01)');
      ALTER TABLE sales ADD CONSTRAINT posts_c
      FOREIGN KEY (item, PERIOD valid) REFERENCES prices (item, PERIOD valid) NOT VALID`)
    const updater = new BackgroundUpdater({ database: fromPg(pool), updates: [update()] })
    await updater.enqueue('repair')
    const constraint = foreignKey({ columns: { item: 'item', valid: 'valid' }, references: 'prices' })
    expect(await repair(pool, { table: 'sales', constraint })).toBeInstanceOf(ConstraintDefinitionError)
    expect(await ids(pool, 'SELECT id FROM sales ORDER BY id')).toEqual([1, 2])
  })

  it('sees a cascade as its foreign key does, not as = does', async () => {
    const { pool } = await shop()
    await pool.query(`
      ALTER TABLE posts ADD code char(4) UNIQUE;
      UPDATE posts SET code = 'p' WHERE id = 33;
      CREATE TABLE comments (id int PRIMARY KEY, post text REFERENCES posts (code) ON DELETE CASCADE);
      INSERT INTO comments VALUES (1, 'p  ')`)
    expect(await repair(pool)).toBeInstanceOf(CascadeRefusedError)
    expect(await ids(pool, 'SELECT id FROM comments')).toEqual([1])
  })

  it('says which foreign key forbids the repair', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE TABLE comments (id int PRIMARY KEY, post_id int REFERENCES posts);
      INSERT INTO comments VALUES (2, 33)`)
    const error = await repair(pool)
    expect(error).toBeInstanceOf(RepairRefusedError)
    expect(error?.message).toMatch(/comments_post_id_fkey/)
  })

  it('repairs checks; a NULL is no violation', async () => {
    const constraint = check('posts.score % 2 = 0 -- even', { columns: ['score'] })
    const { pool } = await shop(constraint)
    await pool.query(`ALTER TABLE posts DISABLE TRIGGER ALL; UPDATE posts SET score = NULL WHERE id = 2`)
    expect(await repair(pool, { constraint, onViolation: 'null' })).toBeNull()
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts WHERE score IS NULL')).toEqual([51])
    expect(await constraints(pool, 'posts')).toEqual({ posts_c: 'CHECK (((score % 2) = 0))' })
  })

  it('repairs NOT NULL by deleting', async () => {
    const constraint = notNull('author_id')
    const { pool } = await shop(constraint)
    expect(await repair(pool, { constraint })).toBeNull()
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([90])
    expect(Object.values(await constraints(pool, 'posts')).join()).not.toMatch(/NOT VALID/)
  })

  it.each([
    ['NOT NULL', notNull('at'), [2, 3, 4, 5]],
    ['a unique key', unique(['at']), [1, 2, 3, 4]],
  ])('takes a composite value with NULLs in it for a value, as %s does', async (_, constraint, left) => {
    const { pool } = await shop(null)
    await pool.query(`
      CREATE TYPE place AS (x int, y int);
      CREATE TABLE stops (id int PRIMARY KEY, at place);
      INSERT INTO stops VALUES (1, NULL), (2, ROW(NULL, NULL)), (3, ROW(1, NULL)), (4, ROW(1, 1)), (5, ROW(NULL, NULL))`)
    await add(pool, constraint, 'stops')
    expect(await repair(pool, { table: 'stops', constraint })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM stops ORDER BY id')).toEqual(left)
  })

  it.each([
    ['delete' as const, [1, 2, 3, 4, 8]],
    ['null' as const, [1, 2, 3, 4, 5, 6, 7, 8]],
  ])('repairs duplicates by %s, builds the index and adds the constraint', async (onViolation, left) => {
    const { pool } = await shop(null)
    await pool.query(`
      CREATE TABLE tags (id int PRIMARY KEY, name text, lang text);
      INSERT INTO tags VALUES (1, 'a', 'x'), (2, 'b', 'x'), (3, 'a', NULL), (4, 'a', NULL),
        (5, 'a', 'x'), (6, 'b', 'x'), (7, 'a', 'x'), (8, 'a', 'y')`)
    const constraint = unique(['name', 'lang'])
    await add(pool, constraint, 'tags')
    expect(await repair(pool, { table: 'tags', constraint, onViolation })).toBeNull()
    expect(await ids(pool, 'SELECT id FROM tags ORDER BY id')).toEqual(left)
    expect(await constraints(pool, 'tags')).toEqual({ posts_c: 'UNIQUE (name, lang)' })
    const validate = validateConstraint({ name: 'v', table: 'tags', constraintName: 'posts_c', constraint })
    expect(await runToEnd(pool, validate)).toBeNull()
    expect(await constraints(pool, 'tags')).toEqual({ posts_c: 'UNIQUE (name, lang)' })
  })

  it.each([
    ['UNIQUE (code)', /may hold NULL/],
    ['CHECK (code > 0)', /nothing proves that the key \(code\) is unique/],
  ])('refuses a key that can hold NULLs or duplicates: %s', async (key, message) => {
    const { pool } = await shop(null)
    await pool.query(`
      CREATE TABLE things (code int, author_id bigint, ${'CONSTRAINT k ' + key});
      INSERT INTO things VALUES (NULL, 1), (NULL, 999), (1, 999)`)
    await add(pool, author, 'things')
    const error = await repair(pool, { table: 'things', key: ['code'] })
    expect(error).toBeInstanceOf(SchemaMismatchError)
    expect(error?.message).toMatch(message)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM things')).toEqual([3])
  })

  it('never loops when a trigger undoes the repair', async () => {
    const { pool } = await shop()
    await pool.query(`
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keep BEFORE DELETE ON posts FOR EACH ROW EXECUTE FUNCTION keep()`)
    const error = await repair(pool)
    expect(error).toBeInstanceOf(RepairIncompleteError)
    expect((error as RepairIncompleteError).samples).toHaveLength(5)
  })

  it('gives up a lock that is not to be had for the thirtieth time', async () => {
    const database = await shop()
    const holder = await database.openClient()
    await holder.query('BEGIN; LOCK TABLE posts IN SHARE UPDATE EXCLUSIVE MODE')
    // A lock is waited for through thirty failures in a row, too.
    await database.pool.query(
      `UPDATE background_updates SET attempts = 29, progress_json = '{"state": "validate", "lock_tries": 29}'`,
    )
    const error = await repair(database.pool)
    expect(error).toBeInstanceOf(LockNotAvailableError)
    expect((error as Error).message).toContain('30')
    await holder.query('COMMIT')
  })

  it('changes no row by the predicate of another constraint', async () => {
    const { pool } = await shop()
    const other = foreignKey({ columns: { author_id: 'id' }, references: 'posts' })
    expect(await repair(pool, { constraint: other })).toBeInstanceOf(ConstraintDefinitionError)
    await pool.query(`UPDATE background_updates SET state = 'queued', progress_json = '{"state": "check"}'`)
    expect(await repair(pool, { constraint: other })).toBeInstanceOf(ConstraintDefinitionError)
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
    await pool.query(`ALTER TABLE posts DROP CONSTRAINT posts_c; UPDATE background_updates SET state = 'queued'`)
    expect(await repair(pool)).toBeInstanceOf(ConstraintMissingError)
  })

  it('doesn’t delete a row that gets its parent while the repair waits for it', async () => {
    const database = await shop()
    const { pool } = database
    const application = await database.openClient()
    await application.query('BEGIN; INSERT INTO users VALUES (2000); UPDATE posts SET author_id = 2000 WHERE id = 3')
    const repairing = repair(pool)
    await until(pool, `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
    await application.query('COMMIT')
    expect(await repairing).toBeNull()
    expect(await ids(pool, 'SELECT id FROM posts WHERE id IN (3, 6) ORDER BY id')).toEqual([3])
  })

  it('leaves one of two duplicates when the other is deleted while the repair waits for it', async () => {
    const constraint = unique(['title'])
    const database = await shop(constraint)
    const { pool } = database
    await pool.query(`UPDATE posts SET title = 'title 1' WHERE id = 2`)
    const application = await database.openClient()
    await application.query('BEGIN; DELETE FROM posts WHERE id = 1')
    const repairing = repair(pool, { constraint })
    await until(pool, `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
    await application.query('COMMIT')
    expect(await repairing).toBeNull()
    expect(await ids(pool, `SELECT id FROM posts WHERE title = 'title 1'`)).toEqual([2])
  })

  it('leaves one of two duplicates when a third comes and goes while they are repaired', async () => {
    const constraint = unique(['name'])
    const database = await shop(null)
    const { pool } = database
    await pool.query(`
      CREATE TABLE tags (id int PRIMARY KEY, name text);
      CREATE TABLE notes (tag int REFERENCES tags ON DELETE CASCADE);
      INSERT INTO tags VALUES (5, 'a'), (10, 'a');
      CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
      CREATE TRIGGER wait BEFORE DELETE ON tags FOR EACH STATEMENT EXECUTE FUNCTION wait()`)
    await add(pool, constraint, 'tags')
    const [first, other] = [await database.openClient(), await database.openClient()]
    await first.query(`BEGIN; LOCK TABLE notes; INSERT INTO tags VALUES (3, 'a')`)
    const repairing = repair(pool, { table: 'tags', constraint, lockTimeoutMs: 60_000 })
    const waits = (what: string) => until(pool, `SELECT FROM pg_locks WHERE locktype = '${what}' AND NOT granted`)
    await waits('relation')
    await other.query('SELECT pg_advisory_lock(1)')
    await first.query('COMMIT')
    await waits('advisory')
    await other.query('DELETE FROM tags WHERE id = 3')
    await other.query('SELECT pg_advisory_unlock(1)')
    expect(await repairing).toBeNull()
    expect(await ids(pool, 'SELECT id FROM tags')).toEqual([5])
  })

  it('takes no row by a cascade of a duplicate that came after it had looked', async () => {
    const constraint = unique(['name'])
    const database = await shop(null)
    const { pool } = database
    await pool.query(`
      CREATE TABLE tags (id int PRIMARY KEY, name text);
      CREATE TABLE a_notes (tag int REFERENCES tags ON DELETE CASCADE);
      CREATE TABLE b_notes (tag int REFERENCES tags ON DELETE CASCADE);
      INSERT INTO tags VALUES (5, 'a'), (10, 'a'), (20, 'b')`)
    await add(pool, constraint, 'tags')
    const application = await database.openClient()
    await application.query(`
      BEGIN; LOCK TABLE b_notes; INSERT INTO tags VALUES (12, 'a'); INSERT INTO a_notes VALUES (12)`)
    const repairing = repair(pool, { table: 'tags', constraint, lockTimeoutMs: 60_000 })
    await until(pool, `SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted`)
    await application.query('COMMIT')
    expect(await repairing).toBeInstanceOf(CascadeRefusedError)
    expect(await ids(pool, 'SELECT id FROM tags ORDER BY id')).toEqual([5, 12, 20])
    expect(await ids(pool, 'SELECT tag AS id FROM a_notes')).toEqual([12])
  })

  it('fails instead of taking children for orphans whose parents a policy hides', async () => {
    const database = await shop()
    const { pool } = database
    const role = `role_${database.name}`
    await pool.query(`
      CREATE ROLE ${role} LOGIN PASSWORD 'secret';
      ALTER TABLE users ENABLE ROW LEVEL SECURITY;
      GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role};
      ALTER TABLE posts OWNER TO ${role}`)
    const url = new URL(database.url)
    url.username = role
    url.password = 'secret'
    const own = database.openPool({ connectionString: url.href })
    try {
      await own.query('SELECT 1')
      const updater = new BackgroundUpdater({
        database: fromPg(own),
        updates: [update()],
        logger: { debug() {}, info() {}, warn() {}, error() {} },
      })
      let message = ''
      updater.on('batch:failure', ({ error }) => {
        message ||= error.message
      })
      for (let batch = 0; batch < 3 && message === ''; batch += 1) await updater.runNextBatch()
      await updater.stop()
      expect(message).toMatch(/row-level security/)
    } finally {
      await own.end()
      await pool.query(`REASSIGN OWNED BY ${role} TO postgres; DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
    expect(await ids(pool, 'SELECT count(*)::int AS id FROM posts')).toEqual([100])
  })

  it('goes on in another process after every batch, and changes every row once', async () => {
    const { pool } = await shop()
    await pool.query('CREATE TABLE kept (LIKE posts)')
    const wanted = update({ keepIn: 'kept' })
    const quiet = { debug() {}, info() {}, warn() {}, error() {} }
    for (let runs = 0; (await queued(pool)).length > 0; runs += 1) {
      expect(runs).toBeLessThan(100)
      const updater = new BackgroundUpdater({
        database: fromPg(pool),
        updates: [wanted],
        maxBatchSize: 7,
        defaultBatchSize: 7,
        logger: quiet,
      })
      await updater.runNextBatch()
      await updater.stop()
    }
    expect(await ids(pool, 'SELECT id FROM kept ORDER BY id')).toEqual(bad)
    expect(await constraints(pool, 'posts')).toEqual(valid)
  })

  it.each([
    [{ onViolation: 'nul' }, /onViolation must be/],
    [{ onViolation: 'null', constraint: notNull('title') }, /a NULL is what violates it/],
    [{ onViolation: 'null', constraint: check('score > 0') }, /doesn't say which columns/],
    [{ onViolation: 'null', keepIn: 'x' }, /keepIn goes with/],
    [{ maxViolation: 3 }, /did you mean "maxViolations"/],
    [{ maxViolations: -1 }, /maxViolations/],
    [{ maxViolations: undefined }, /maxViolations is needed, because rows are deleted for good/],
    [{ constraint: undefined }, /constraint must be/],
  ])('refuses %j', (options, message) => {
    expect(() => update(options as never)).toThrow(message)
  })

  it('refuses to set NOT NULL columns to NULL', async () => {
    const { pool } = await shop()
    await pool.query('DELETE FROM posts WHERE author_id IS NULL; ALTER TABLE posts ALTER COLUMN author_id SET NOT NULL')
    const error = await repair(pool, { onViolation: 'null' })
    expect(error).toBeInstanceOf(SchemaMismatchError)
    expect(error?.message).toMatch(/"author_id" is NOT NULL/)
  })
})
