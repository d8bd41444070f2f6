import assert from 'node:assert/strict'
import type { Database } from '../databases/database.js'
import { ids, TABLE, type Check } from './conformance-table.js'
import { pipelinedCases } from './conformance-pipelined.js'

/** One thing that a driver must do; `run` rejects when it doesn't. */
export interface ConformanceCase {
  readonly name: string
  readonly run: () => Promise<void>
}

/**
 * What every driver must do, as cases for any test framework. `makeDatabase` is called for every case; the cases create
 * and drop a table named `evenkeel_conformance`.
 *
 * @example
 * import { databaseConformance } from 'evenkeel/testing'
 * import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
 *
 * for (const { name, run } of databaseConformance(() => fromBetterSqlite3(':memory:'))) test(name, run)
 * declare function test(name: string, run: () => Promise<void>): void
 */
export function databaseConformance<Tx>(
  makeDatabase: () => Database<Tx> | Promise<Database<Tx>>,
): readonly ConformanceCase[] {
  return cases<Tx>().map(([name, check]) => ({
    name,
    async run() {
      const database = await makeDatabase()
      try {
        await database.session(async ({ query }) => {
          await query(`DROP TABLE IF EXISTS ${TABLE}`)
          await query(
            `CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, wide BIGINT, label TEXT UNIQUE, data ${bytes(database)})`,
          )
        })
        await check(database)
        await database.session(({ query }) => query(`DROP TABLE ${TABLE}`))
      } finally {
        await database.close()
      }
    },
  }))
}

function cases<Tx>(): readonly (readonly [name: string, check: Check<Tx>])[] {
  return [
    ['names its dialect and its capabilities', namesItself],
    ['commits what a transaction did', commits],
    ['returns what the function of a transaction returned', returnsResult],
    ['rolls back and rethrows the very error that the function threw', rollsBack],
    ['rolls back when a statement fails', rollsBackOnSqlError],
    ['does not report a commit when a failed statement was swallowed', swallowedError],
    ['runs nothing outside a transaction that the database has rolled back, and reports no success', endedByItself],
    ['goes on after a failed transaction', goesOn],
    ['binds numbered placeholders, in any order and more than once', placeholders],
    ['binds null, text, numbers, booleans and bytes', values],
    ['treats values as values', noInjection],
    ['counts changed rows', countsChanges],
    ['returns the rows of RETURNING', returning],
    ['never rounds an integer beyond 2^53', wideIntegers],
    ['keeps two transactions apart', apart],
    ['hides a transaction from a session until it commits', isolation],
    ['pins one connection for a session and lets it run in autocommit', sessionAutocommit],
    ['gives errors of the database with their code', errorCodes],
    ['refuses to begin when its signal has aborted', abortedBefore],
    ['rolls back when its signal aborts', abortsInside],
    ...pipelinedCases<Tx>(),
  ]
}

async function namesItself<Tx>(database: Database<Tx>): Promise<void> {
  assert.ok(database.dialect === 'postgres' || database.dialect === 'sqlite')
  assert.equal(typeof database.capabilities.cancel, 'boolean')
  assert.equal(typeof database.capabilities.pinnedSession, 'boolean')
  assert.equal(typeof database.capabilities.concurrentTransactions, 'boolean')
}

async function commits<Tx>(database: Database<Tx>): Promise<void> {
  await database.transaction((tx) => database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`))
  assert.deepEqual(await ids(database), [1])
}

async function returnsResult<Tx>(database: Database<Tx>): Promise<void> {
  const marker = { marker: true }
  assert.equal(await database.transaction(async () => marker), marker)
  assert.equal(await database.session(async () => marker), marker)
}

async function rollsBack<Tx>(database: Database<Tx>): Promise<void> {
  const thrown = new Error('thrown by the function')
  const work = database.transaction(async (tx) => {
    await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
    throw thrown
  })
  await assert.rejects(work, (error) => error === thrown)
  assert.deepEqual(await ids(database), [])
}

async function rollsBackOnSqlError<Tx>(database: Database<Tx>): Promise<void> {
  await assert.rejects(
    database.transaction(async (tx) => {
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
    }),
  )
  assert.deepEqual(await ids(database), [])
}

// PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error; SQLite's statement just did nothing.
async function swallowedError<Tx>(database: Database<Tx>): Promise<void> {
  let committed = true
  await database
    .transaction(async (tx) => {
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`).catch(() => {})
    })
    .catch(() => {
      committed = false
    })
  assert.deepEqual(await ids(database), committed ? [1] : [])
}

// SQLite rolls the whole transaction back and is in autocommit then; PostgreSQL refuses everything until ROLLBACK.
async function endedByItself<Tx>(database: Database<Tx>): Promise<void> {
  const failing = database.dialect === 'postgres' ? 'INSERT' : 'INSERT OR ROLLBACK'
  await assert.rejects(
    database.transaction(async (tx) => {
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
      await database.query(tx, `${failing} INTO ${TABLE} (id) VALUES (1)`).catch(() => {})
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (2)`).catch(() => {})
    }),
  )
  assert.deepEqual(await ids(database), [])
}

async function goesOn<Tx>(database: Database<Tx>): Promise<void> {
  await assert.rejects(database.transaction((tx) => database.query(tx, 'SELECT * FROM evenkeel_no_such_table')))
  await commits(database)
}

async function placeholders<Tx>(database: Database<Tx>): Promise<void> {
  const text = `SELECT CAST($2 AS TEXT) AS second, CAST($1 AS TEXT) AS first, CAST($1 AS TEXT) AS again`
  const { rows } = await database.session(({ query }) => query(text, ['a', 'b']))
  assert.deepEqual({ ...rows[0] }, { second: 'b', first: 'a', again: 'a' })
}

async function values<Tx>(database: Database<Tx>): Promise<void> {
  const data = Buffer.from([0, 1, 255])
  await database.transaction((tx) =>
    database.query(tx, `INSERT INTO ${TABLE} (id, wide, label, data) VALUES ($1, $2, $3, $4), ($5, $6, $7, $8)`, [
      ...[1, null, 'ünïcode 🙂', data],
      ...[2, 7, null, null],
    ]),
  )
  const { rows } = await database.session(({ query }) =>
    query<{ label: string | null; data: Uint8Array | null }>(`SELECT label, data FROM ${TABLE} ORDER BY id`),
  )
  assert.equal(rows[0]?.label, 'ünïcode 🙂')
  assert.deepEqual([...(rows[0].data ?? [])], [0, 1, 255])
  assert.deepEqual({ ...rows[1] }, { label: null, data: null })
  const truth = await database.session(({ query }) =>
    query<{ yes: number }>('SELECT CASE WHEN $1 THEN 1 ELSE 0 END AS yes', [true]),
  )
  assert.equal(Number(truth.rows[0]?.yes), 1)
}

async function noInjection<Tx>(database: Database<Tx>): Promise<void> {
  const hostile = `'); DROP TABLE ${TABLE}; --`
  await database.transaction((tx) => database.query(tx, `INSERT INTO ${TABLE} (id, label) VALUES (1, $1)`, [hostile]))
  const { rows } = await database.session(({ query }) => query<{ label: string }>(`SELECT label FROM ${TABLE}`))
  assert.equal(rows[0]?.label, hostile)
}

async function countsChanges<Tx>(database: Database<Tx>): Promise<void> {
  await database.transaction(async (tx) => {
    const inserted = await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1), (2), (3)`)
    assert.equal(inserted.rowCount, 3)
    assert.equal((await database.query(tx, `UPDATE ${TABLE} SET label = NULL WHERE id > 1`)).rowCount, 2)
    assert.equal((await database.query(tx, `DELETE FROM ${TABLE} WHERE id > 99`)).rowCount, 0)
  })
}

async function returning<Tx>(database: Database<Tx>): Promise<void> {
  const { rows, rowCount } = await database.transaction((tx) =>
    database.query<{ id: number }>(tx, `INSERT INTO ${TABLE} (id) VALUES (1), (2) RETURNING id`),
  )
  assert.deepEqual(rows.map((row) => Number(row.id)).sort(), [1, 2])
  assert.equal(rowCount, 2)
}

async function wideIntegers<Tx>(database: Database<Tx>): Promise<void> {
  const wide = '9007199254740993'
  await database.transaction((tx) =>
    database.query(tx, `INSERT INTO ${TABLE} (id, wide) VALUES (1, CAST($1 AS BIGINT))`, [wide]),
  )
  const { rows } = await database.session(({ query }) => query<{ wide: unknown }>(`SELECT wide FROM ${TABLE}`))
  assert.equal(String(rows[0]?.wide), wide)
  const again = `SELECT id FROM ${TABLE} WHERE wide = $1`
  assert.equal((await database.session(({ query }) => query(again, [rows[0]?.wide]))).rows.length, 1)
}

async function apart<Tx>(database: Database<Tx>): Promise<void> {
  const insert = (id: number, fails: boolean) =>
    database.transaction(async (tx) => {
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES ($1)`, [id])
      await new Promise((resolve) => setImmediate(resolve))
      if (fails) throw new Error('rolled back')
    })
  await Promise.allSettled([insert(1, true), insert(2, false), insert(3, true), insert(4, false)])
  assert.deepEqual(await ids(database), [2, 4])
}

async function isolation<Tx>(database: Database<Tx>): Promise<void> {
  await database.transaction(async (tx) => {
    await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
    // With one connection for everything the session waits for the transaction; it must not see half of it.
    if (database.capabilities.concurrentTransactions) assert.deepEqual(await ids(database), [])
  })
  assert.deepEqual(await ids(database), [1])
}

async function sessionAutocommit<Tx>(database: Database<Tx>): Promise<void> {
  await assert.rejects(
    database.session(async ({ query }) => {
      await query(`INSERT INTO ${TABLE} (id) VALUES (1)`)
      throw new Error('after the statement')
    }),
  )
  assert.deepEqual(await ids(database), [1])
  if (!database.capabilities.pinnedSession || database.dialect !== 'postgres') return
  await database.session(async ({ query }) => {
    await query("SET application_name = 'evenkeel conformance'")
    const { rows } = await query<{ name: string }>("SELECT current_setting('application_name') AS name")
    await query('RESET application_name')
    assert.equal(rows[0]?.name, 'evenkeel conformance')
  })
}

async function errorCodes<Tx>(database: Database<Tx>): Promise<void> {
  await commits(database)
  const code = database.dialect === 'postgres' ? /^23505$/ : /^SQLITE_CONSTRAINT/
  await assert.rejects(
    database.transaction((tx) => database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)),
    (error: unknown) => code.test(String((error as { code?: unknown }).code)),
  )
}

async function abortedBefore<Tx>(database: Database<Tx>): Promise<void> {
  const signal = AbortSignal.abort(new Error('aborted before'))
  let called = false
  const note = async () => {
    called = true
  }
  await assert.rejects(database.transaction(note, { signal }), /aborted before/)
  assert.equal(called, false)
}

async function abortsInside<Tx>(database: Database<Tx>): Promise<void> {
  const controller = new AbortController()
  const work = database.transaction(
    async (tx) => {
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (1)`)
      controller.abort(new Error('aborted inside'))
      if (database.capabilities.cancel) await database.query(tx, 'SELECT pg_sleep(600)')
      controller.signal.throwIfAborted()
    },
    { signal: controller.signal },
  )
  await assert.rejects(work)
  assert.deepEqual(await ids(database), [])
}

function bytes<Tx>(database: Database<Tx>): string {
  return database.dialect === 'postgres' ? 'BYTEA' : 'BLOB'
}
