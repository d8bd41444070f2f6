import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BackgroundUpdater } from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import {
  createIndex,
  DuplicateKeysError,
  IndexDefinitionError,
  IndexNameTakenError,
  IndexRefusedError,
  ReplacedIndexError,
} from '../../src/updates/create-index.js'
import type { CreateIndexOptions } from '../../src/updates/create-index.js'
import { failure } from '../support/indexes.js'
import { crashAfter, runOneShot } from '../support/one-shot.js'
import { temporaryDatabaseFile } from '../support/sqlite.js'

describe('createIndex on SQLite', () => {
  const open = (sql = '') => {
    const handle = new Database(temporaryDatabaseFile())
    onTestFinished(() => void handle.close())
    handle.exec(`
      CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL, "Name" TEXT COLLATE NOCASE, score, deleted INTEGER, CHECK (id > 0), UNIQUE (email));
      ${sql}`)
    return handle
  }
  const build = (handle: Database.Database, options: Partial<CreateIndexOptions> = {}) =>
    runOneShot(
      fromBetterSqlite3(handle),
      createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['score'], ...options }),
    )

  it('builds the index, and takes it for done the next time', async () => {
    const handle = open()
    await build(handle)
    const before = indexes(handle)
    expect(before).toEqual({ users_idx: 'CREATE INDEX "users_idx" ON "users" ("score")' })
    await build(handle)
    expect(indexes(handle)).toEqual(before)
  })

  const wanted: Partial<CreateIndexOptions> = {
    unique: true,
    columns: ['Name', { expression: `lower("email" || 'A')`, order: 'desc' }, { column: 'score', collate: 'NOCASE' }],
    where: 'deleted IS NULL',
  }
  it.each([
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score COLLATE NOCASE) WHERE deleted IS NULL`,
      true,
    ],
    [
      `create unique index if not exists [USERS_IDX] on USERS(name/* , */ASC,LOWER(Email||'A')desc,"score" collate nocase)where(DELETED is null) -- x`,
      true,
    ],
    [
      "CREATE UNIQUE INDEX users_idx ON users (`Name` COLLATE nocase, (lower([email] || 'A')) DESC, score COLLATE NOCASE) WHERE ((deleted) IS NULL)",
      false,
    ],
    [
      'CREATE UNIQUE INDEX users_idx ON users (`Name` COLLATE nocase, (lower([email] || \'A\')) DESC, score COLLATE NOCASE) WHERE (("deleted" IS NULL))',
      true,
    ],
    [
      `CREATE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'a') DESC, score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A'), score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name" COLLATE BINARY, lower("email" || 'A') DESC, score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
    [`CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score) WHERE deleted IS NULL`, false],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') COLLATE NOCASE DESC, score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
    [`CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score COLLATE NOCASE)`, false],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score COLLATE NOCASE) WHERE deleted IS NOT NULL`,
      false,
    ],
    [
      `CREATE UNIQUE INDEX users_idx ON users ("Name", lower("email" || 'A') DESC, score COLLATE NOCASE, id) WHERE deleted IS NULL`,
      false,
    ],
    [
      `CREATE UNIQUE INDEX users_idx ON users (lower("email" || 'A') DESC, "Name", score COLLATE NOCASE) WHERE deleted IS NULL`,
      false,
    ],
  ])('compares with %s: %s', async (sql, same) => {
    const handle = open(sql)
    const before = indexes(handle)
    if (same) await build(handle, wanted)
    else await expect(build(handle, wanted)).rejects.toThrow(IndexDefinitionError)
    expect(indexes(handle)).toEqual(before)
  })

  it('knows an index again after its columns and table were renamed', async () => {
    const handle = open()
    await build(handle, wanted)
    handle.exec('ALTER TABLE users RENAME COLUMN score TO "Total Score"; ALTER TABLE users RENAME TO people')
    const before = indexes(handle)
    await build(handle, {
      ...wanted,
      table: 'people',
      columns: [...(wanted.columns ?? []).slice(0, 2), { column: 'Total Score', collate: 'NOCASE' }],
    })
    expect(indexes(handle)).toEqual(before)
  })

  it('tells which keys are duplicates, and leaves nothing behind', async () => {
    const handle = open(`
      INSERT INTO users (email, "Name", score, deleted) VALUES
        ('a', 'Twice', 1, NULL), ('b', 'TWICE', 1.0, NULL), ('c', 'once', 1, NULL), ('d', NULL, 1, NULL), ('e', NULL, 1, NULL),
        ('f', 'blob', x'00ff', NULL), ('g', 'blob', x'00ff', NULL), ('h', 'blob', x'00ff', NULL), ('i', 'gone', 1, 1), ('j', 'gone', 1, 1)`)
    const error = await failure(build(handle, { unique: true, columns: ['Name', 'score'], where: 'deleted IS NULL' }))
    expect(error).toBeInstanceOf(DuplicateKeysError)
    expect(error).toMatchObject({
      permanent: true,
      duplicateKeys: 2,
      samples: [
        { key: ['blob', `x'00FF'`], rows: 3 },
        { key: [expect.stringMatching(/^twice$/i), expect.stringMatching(/^1(\.0)?$/)], rows: 2 },
      ],
    })
    expect(indexes(handle)).toEqual({})
  })

  it('takes comments at the end of a condition and an expression', async () => {
    const handle = open(`INSERT INTO users (email, "Name", score) VALUES ('a', 'Twice', 1), ('b', 'TWICE', 1)`)
    const commented = {
      unique: true,
      columns: [{ expression: 'lower("Name") -- as typed' }],
      where: 'deleted IS NULL -- the living',
    }
    expect(await failure(build(handle, commented))).toMatchObject({
      code: 'DUPLICATE_KEYS',
      samples: [{ key: ['twice'], rows: 2 }],
    })
    handle.exec(`DELETE FROM users WHERE email = 'b'`)
    await build(handle, commented)
    expect(Object.keys(indexes(handle))).toEqual(['users_idx'])
    await build(handle, commented)
  })

  it('refuses a name that something else has', async () => {
    const handle = open('CREATE TABLE other (a); CREATE INDEX other_idx ON other (a); CREATE VIEW a_view AS SELECT 1')
    await expect(build(handle, { index: 'OTHER_IDX' })).rejects.toThrow(IndexNameTakenError)
    await expect(build(handle, { index: 'other' })).rejects.toMatchObject({ permanent: true })
    await expect(build(handle, { index: 'sqlite_mine' })).rejects.toThrow(IndexRefusedError)
    expect(indexes(handle)).toEqual({ other_idx: 'CREATE INDEX other_idx ON other (a)' })
  })

  it('drops the index it replaces once the new one is there', async () => {
    const handle = open('CREATE INDEX old_idx ON users (score)')
    await build(handle, { replaces: 'old_idx', columns: ['score', 'id'] })
    expect(Object.keys(indexes(handle))).toEqual(['users_idx'])
    await build(handle, { replaces: 'old_idx', columns: ['score', 'id'] })
  })

  it('says that there is nothing to drop, once: the name may be misspelt', async () => {
    const database = fromBetterSqlite3(open())
    const told: string[] = []
    const log = (message: string) => told.push(message)
    const update = createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['score'], replaces: 'odl' })
    for (let times = 0; times < 2; times += 1) await runOneShot(database, update, { log })
    expect(told).toEqual(['there is no index odl for users_idx to replace: nothing will be dropped'])
  })

  it('keeps the old index when the new one fails', async () => {
    const handle = open(
      `CREATE INDEX old_idx ON users (score); INSERT INTO users (email, score) VALUES ('a', 1), ('b', 1)`,
    )
    await expect(build(handle, { replaces: 'old_idx', unique: true })).rejects.toThrow(DuplicateKeysError)
    expect(Object.keys(indexes(handle))).toEqual(['old_idx'])
  })

  it('refuses to replace what can not be dropped, before it builds', async () => {
    const handle = open('CREATE TABLE other (a); CREATE INDEX other_idx ON other (a)')
    for (const replaces of ['sqlite_autoindex_users_1', 'other_idx', 'other', 'USERS_IDX']) {
      await expect(build(handle, { replaces })).rejects.toThrow(ReplacedIndexError)
    }
    expect(Object.keys(indexes(handle))).toEqual(['other_idx'])
  })

  it('does not take the unique index away that a foreign key needs', async () => {
    const handle = open(`
      CREATE UNIQUE INDEX old_idx ON users (score, deleted);
      CREATE TABLE child (a, b, FOREIGN KEY (b, a) REFERENCES Users (Deleted, Score))`)
    await expect(build(handle, { replaces: 'old_idx', columns: ['score', 'id'] })).rejects.toThrow(/table child refers/)
    expect(Object.keys(indexes(handle))).toEqual(['old_idx'])
    await build(handle, { replaces: 'old_idx', columns: ['deleted', 'score'], unique: true })
    expect(Object.keys(indexes(handle))).toEqual(['users_idx'])
    handle.exec('PRAGMA foreign_keys = ON; INSERT INTO child VALUES (NULL, NULL)')
  })

  it('goes on after a crash behind any statement', async () => {
    for (let last = 0; ; last += 1) {
      const handle = open('CREATE INDEX old_idx ON users (score)')
      const update = createIndex({
        name: 'u',
        index: 'new_idx',
        table: 'users',
        columns: [{ expression: 'lower(email)' }],
        unique: true,
        replaces: 'old_idx',
        analyze: true,
      })
      const crash = crashAfter(last)
      await runOneShot(fromBetterSqlite3(handle), update, crash).catch((error: unknown) => {
        expect(String(error)).toMatch(/crashed/)
      })
      await runOneShot(fromBetterSqlite3(handle), update)
      expect(Object.keys(indexes(handle))).toEqual(['new_idx'])
      if (!crash.crashed()) break
    }
  })

  it('quotes every name, and works WITHOUT ROWID and in an attached database', async () => {
    const handle = open(`
      CREATE TABLE "select ""x" ("a'b""; --" TEXT, "Group" TEXT, PRIMARY KEY ("Group")) WITHOUT ROWID;
      ATTACH ':memory:' AS "side one";
      CREATE TABLE "side one".users (score)`)
    const options = { index: `"in'dex`, table: 'select "x', columns: [`a'b"; --`, 'Group'] }
    await build(handle, options)
    await build(handle, options)
    await build(handle, { table: { schema: 'side one', name: 'users' } })
    await build(handle, { table: { schema: 'side one', name: 'users' } })
    expect(Object.keys(indexes(handle))).toEqual([`"in'dex`])
    expect(handle.prepare('SELECT name FROM "side one".sqlite_master WHERE type = \'index\'').pluck().all()).toEqual([
      'users_idx',
    ])
  })

  it('analyzes the table when it is told to', async () => {
    const handle = open(`INSERT INTO users (email, score) VALUES ('a', 1), ('b', 2)`)
    await build(handle, { analyze: true })
    expect(handle.prepare(`SELECT stat FROM sqlite_stat1 WHERE idx = 'users_idx'`).pluck().all()).toEqual(['2 1'])
  })

  it('refuses the options that SQLite does not have, and what it can not index', async () => {
    const handle = open('CREATE VIEW shown AS SELECT * FROM users')
    const error = await failure(
      build(handle, {
        unique: true,
        using: 'gin',
        include: ['id'],
        nullsNotDistinct: true,
        columns: [{ column: 'score', nulls: 'first', opclass: 'x', collate: { schema: 'a', name: 'b' } }],
      }),
    )
    expect(error).toMatchObject({
      code: 'UNSUPPORTED',
      permanent: true,
      hint: expect.stringContaining(`on: 'postgres'`) as string,
    })
    expect((error as Error).message).toContain(
      'using, include, nullsNotDistinct, opclass, nulls, collate with a schema',
    )
    await expect(build(handle, { table: 'shown' })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
    await expect(build(handle, { columns: ['scor'] })).rejects.toThrow(/did you mean "score"/)
    await expect(build(handle, { where: 'nothing = 1' })).rejects.toMatchObject({
      code: 'INDEX_REFUSED',
      permanent: true,
    })
    await expect(build(handle, { columns: [{ expression: 'random()' }] })).rejects.toThrow(IndexRefusedError)
  })
})

function indexes(handle: Database.Database): Record<string, string> {
  const rows = handle
    .prepare(`SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name`)
    .all()
  return Object.fromEntries((rows as { name: string; sql: string }[]).map(({ name, sql }) => [name, sql]))
}

describe('createIndex in an updater on SQLite', () => {
  const make = async (options: Partial<CreateIndexOptions> = {}) => {
    const database = fromBetterSqlite3(temporaryDatabaseFile())
    const update = createIndex({ name: 'u', index: 'users_idx', table: 'users', columns: ['email'], ...options })
    const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    const updater = new BackgroundUpdater({ database, updates: [update], logger: silent })
    onTestFinished(async () => {
      await updater.stop()
      await database.close()
    })
    await database.session(({ query }) => query('CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)'))
    await updater.install()
    await updater.enqueue(update)
    return { updater, update }
  }

  it('builds, analyzes, and leaves the queue', async () => {
    const { updater } = await make({ analyze: true })
    await updater.runToCompletion()
    expect(await updater.hasCompleted('u')).toBe(true)
    expect((await updater.history())[0]).toMatchObject({ outcome: 'completed' })
  })

  it('refuses options of PostgreSQL, unless the index is for PostgreSQL only', async () => {
    const { updater } = await make({ using: 'gin' })
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    const { updater: other } = await make({ using: 'gin', on: 'postgres' })
    await other.runToCompletion()
    expect((await other.history())[0]).toMatchObject({ outcome: 'not applicable' })
  })
})
