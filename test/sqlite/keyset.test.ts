import Database from 'better-sqlite3'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { describeTable } from '../../src/databases/catalogue/table.js'
import type { Query } from '../../src/databases/database.js'
import { nextRange, planWalk } from '../../src/keyset/walk.js'
import { walkWhole } from '../support/walk-whole.js'

const integers = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const blobs = fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes))
const reals = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(0.5, 9007199254740992, -1e300))
const texts = fc.string({
  unit: fc.constantFrom('a', 'A', 'b', 'Z', 'ä', ' ', '1', '\0', '"', '𝔘', '\uFFFD'),
  maxLength: 4,
})
const anything = fc.oneof(integers, blobs, reals, texts)

const KEYS: readonly (readonly [declaration: string, values: fc.Arbitrary<unknown>])[] = [
  ['CREATE TABLE k (key INTEGER PRIMARY KEY, n)', integers],
  ['CREATE TABLE k (key NOT NULL UNIQUE, n)', anything],
  ['CREATE TABLE k (key BLOB NOT NULL UNIQUE, n)', anything],
  ['CREATE TABLE k (key NUMERIC NOT NULL UNIQUE, n)', anything],
  ['CREATE TABLE k (key TEXT NOT NULL UNIQUE, n)', anything],
  ['CREATE TABLE k (key REAL NOT NULL UNIQUE, n)', anything],
  ['CREATE TABLE k (key ANY PRIMARY KEY, n ANY) STRICT, WITHOUT ROWID', anything],
  ['CREATE TABLE k (key TEXT PRIMARY KEY, n) WITHOUT ROWID', texts],
  ['CREATE TABLE k (key TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, n)', texts],
  ['CREATE TABLE k (key TEXT COLLATE NOCASE NOT NULL, n); CREATE UNIQUE INDEX i ON k (key COLLATE BINARY)', texts],
  ['CREATE TABLE k (key TEXT NOT NULL, n); CREATE UNIQUE INDEX i ON k (key COLLATE RTRIM DESC)', texts],
]

async function walk(handle: InstanceType<typeof Database>, sizes: readonly number[], key?: readonly string[]) {
  const database = fromBetterSqlite3(handle)
  return database.transaction(async (tx) => {
    const query: Query = (text, values) => database.query(tx, text, values)
    const plan = planWalk(await describeTable({ query, dialect: 'sqlite' }, 'k'), key)
    return walkWhole(query, plan, sizes, async (slice) => {
      const { sql, values } = slice.predicate()
      const { rows } = await query<{ n: number }>(`SELECT n FROM k WHERE ${sql} ORDER BY n`, values)
      return rows.map((row) => row.n)
    })
  })
}

it.each(KEYS)('walks %s exactly and in order', async (declaration, values) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { maxLength: 15 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
      async (keys, sizes) => {
        const handle = new Database(':memory:')
        handle.exec(declaration)
        const insert = handle.prepare('INSERT OR IGNORE INTO k VALUES (?, 0)')
        for (const key of keys) insert.run(key)
        // In the order of the key's own index.
        const collation = /INDEX i ON k \(key (COLLATE \w+)/.exec(declaration)?.[1] ?? ''
        const ordered = handle.prepare(`SELECT key FROM k ORDER BY key ${collation}`).safeIntegers().raw().all() as [
          unknown,
        ][]
        const mark = handle.prepare(`UPDATE k SET n = ? WHERE key ${collation} = ?`)
        ordered.forEach(([key], index) => mark.run(BigInt(index), key))
        expect((await walk(handle, sizes)).flat()).toEqual(ordered.map((_, index) => index))
        handle.close()
      },
    ),
    { numRuns: 60 },
  )
})

it('walks tuples by row comparison', async () => {
  const handle = new Database(':memory:')
  handle.exec(`
    CREATE TABLE k (a TEXT NOT NULL, b NOT NULL, n INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID;
    WITH RECURSIVE i AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM i WHERE i < 299)
    INSERT INTO k SELECT CAST(i % 10 AS TEXT), CASE WHEN i < 100 THEN i / 10 WHEN i < 200 THEN 'x' || (i / 10) ELSE CAST('x' || (i / 10) AS BLOB) END, 0 FROM i;
    UPDATE k SET n = o.n FROM (SELECT a, b, row_number() OVER (ORDER BY b, a) - 1 AS n FROM k) AS o WHERE o.a = k.a AND o.b = k.b;`)
  expect((await walk(handle, [1, 17, 4], ['a', 'b'])).flat()).toEqual(Array.from({ length: 300 }, (_, index) => index))
})

it('refuses keys that may hold NULL, and the bare rowid', async () => {
  const refused = (declaration: string, key?: string[]) => {
    const handle = new Database(':memory:')
    handle.exec(declaration)
    return expect(walk(handle, [1], key)).rejects
  }
  await refused('CREATE TABLE k (a TEXT PRIMARY KEY, n)').toThrow(/may hold NULL in a/)
  await refused('CREATE TABLE k (a INTEGER PRIMARY KEY DESC, n)').toThrow(/may hold NULL in a/)
  await refused('CREATE TABLE k (a INTEGER, n)').toThrow(/neither a PRIMARY KEY/)
  await refused('CREATE TABLE k (a INTEGER, n)', ['rowid']).toThrow(/no column "rowid"/)
  await refused('CREATE TABLE k (a INT NOT NULL UNIQUE, b INT NOT NULL UNIQUE, n)').toThrow(/no PRIMARY KEY to walk by/)
})

// Of bytes that are no UTF-8, better-sqlite3 makes U+FFFD, which is elsewhere in the order.
it.each([
  ['first', "CAST(x'80' AS TEXT)", "CAST(x'EFBFBE' AS TEXT)"],
  ['last', "'a'", "CAST(x'FF' AS TEXT)"],
])('refuses to leave out the %s row because its key can’t be read back', async (_, first, last) => {
  const handle = new Database(':memory:')
  handle.exec(`CREATE TABLE k (key TEXT NOT NULL PRIMARY KEY, n); INSERT INTO k VALUES (${first}, 0), (${last}, 1)`)
  await expect(walk(handle, [2])).rejects.toThrow(/can't be read back exactly/)
})

it('refuses to come to the same key again and again', async () => {
  const handle = new Database(':memory:')
  handle.exec(`
    CREATE TABLE k (key TEXT NOT NULL PRIMARY KEY, n);
    INSERT INTO k VALUES ('a', 0), (CAST(x'62FF' AS TEXT), 1), ('c', 2)`)
  const database = fromBetterSqlite3(handle)
  const work = database.transaction(async (tx) => {
    const query: Query = (text, values) => database.query(tx, text, values)
    const plan = planWalk(await describeTable({ query, dialect: 'sqlite' }, 'k'))
    const behind = await nextRange(query, plan, { first: ['a'], lower: ['a'], end: ['c'] }, 1)
    await nextRange(query, plan, { first: ['a'], lower: behind?.upper ?? null, end: ['c'] }, 1)
  })
  await expect(work).rejects.toThrow(/can't be read back exactly/)
})

it('uses the index alone', async () => {
  const handle = new Database(':memory:')
  handle.exec(
    'CREATE TABLE k (a TEXT COLLATE NOCASE NOT NULL, b INT NOT NULL, n, UNIQUE (a, b)); INSERT INTO k VALUES (1, 1, 1), (2, 2, 2)',
  )
  const database = fromBetterSqlite3(handle)
  const plans: string[] = []
  await database.transaction(async (tx) => {
    const query: Query = async (text, values) => {
      if (text.includes('LIMIT')) {
        const { rows } = await database.query<{ detail: string }>(tx, `EXPLAIN QUERY PLAN ${text}`, values)
        plans.push(rows.map((row) => row.detail).join('; '))
      }
      return database.query(tx, text, values)
    }
    const plan = planWalk(await describeTable({ query, dialect: 'sqlite' }, 'k'))
    plans.length = 0
    await nextRange(query, plan, { first: ['1', 1], lower: ['1', 1], end: ['2', 2] }, 1)
  })
  // And, once a statement, what the table's own definition is now.
  expect(plans).toEqual([
    'SEARCH main.k USING COVERING INDEX sqlite_autoindex_k_1 ((a,b)>(?,?) AND (a,b)<(?,?)); ' +
      'SCALAR SUBQUERY 1; SCAN main.sqlite_schema',
  ])
})
