import assert from 'node:assert/strict'
import type { Database, Statement } from '../databases/database.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'
import { ids, TABLE, type Check } from './conformance-table.js'

/** Transactions whose first and last statements the driver may send together with BEGIN and COMMIT. */
export function pipelinedCases<Tx>(): readonly (readonly [name: string, check: Check<Tx>])[] {
  return [
    ['runs the first and the last statements of a pipelined transaction', framed],
    ['commits nothing when a closing statement affects no row', nothingAffected],
    ['commits nothing when an opening or closing statement fails', framesFail],
    ['does not take a pipelined transaction for committed whose failure was swallowed', framedFailureSwallowed],
    ['measures a statement, where it can, and answers and fails as without', timed],
    ['answers a repeated statement as any other, also after a schema change and a failure', repeated],
    ['rolls back a pipelined transaction whose function throws or whose signal aborts', framedFunctionFails],
  ]
}

// With a driver that can't send several statements at once, this holds its transaction() to the same.
async function framed<Tx>(database: Database<Tx>): Promise<void> {
  const seen: unknown[] = []
  const result = await pipelinedTransaction(
    database,
    [insert(1), { text: `SELECT label FROM ${TABLE} WHERE id = $1`, values: [1] }],
    async (tx, opened) => {
      seen.push(opened.map(({ rows }) => rows))
      await database.query(tx, `INSERT INTO ${TABLE} (id) VALUES (2)`)
      return { result: 'done', closing: [insert(3), { ...relabel(3), orElse: () => new Error('not there') }] }
    },
    { onBegin: () => seen.push('begin'), onAnswer: (index) => seen.push(index) },
  )
  assert.equal(result, 'done')
  assert.deepEqual(seen, ['begin', 0, 1, [[], [{ label: 'row 1' }]]])
  assert.deepEqual(await ids(database), [1, 2, 3])
}

async function nothingAffected<Tx>(database: Database<Tx>): Promise<void> {
  const missing = new Error('not there')
  const work = pipelinedTransaction(database, [insert(1)], async () => ({
    result: undefined,
    closing: [insert(2), { ...relabel(99), orElse: () => missing }],
  }))
  await assert.rejects(work, (error) => error === missing)
  assert.deepEqual(await ids(database), [])
}

async function framesFail<Tx>(database: Database<Tx>): Promise<void> {
  const closing = pipelinedTransaction(database, [insert(1)], async () => ({
    result: undefined,
    closing: [insert(1), insert(2)],
  }))
  await assert.rejects(closing, /unique|UNIQUE|duplicate/)
  const opening = pipelinedTransaction(database, [insert(1), insert(1)], async () => {
    throw new Error('the function was called behind a failed statement')
  })
  await assert.rejects(opening, /unique|UNIQUE|duplicate/)
  assert.deepEqual(await ids(database), [])
}

async function framedFunctionFails<Tx>(database: Database<Tx>): Promise<void> {
  const thrown = new Error('thrown by the function')
  const failing = pipelinedTransaction(database, [insert(1)], async () => {
    throw thrown
  })
  await assert.rejects(failing, (error) => error === thrown)
  const stop = new AbortController()
  const aborted = pipelinedTransaction(
    database,
    [insert(1)],
    async () => {
      stop.abort(thrown)
      return { result: undefined, closing: [insert(2)] }
    },
    { signal: stop.signal },
  )
  await assert.rejects(aborted)
  assert.deepEqual(await ids(database), [])
  // The connection is in order.
  await database.transaction((tx) => database.query(tx, insert(3).text, insert(3).values))
  assert.deepEqual(await ids(database), [3])
}

// PostgreSQL answers the COMMIT of a transaction that has failed with a ROLLBACK and no error; SQLite goes on after it.
async function framedFailureSwallowed<Tx>(database: Database<Tx>): Promise<void> {
  const swallowing = pipelinedTransaction(database, [insert(1)], async (tx) => {
    await database.query(tx, insert(1).text, insert(1).values).catch(() => {})
    return { result: undefined, closing: [] }
  })
  if (database.dialect === 'postgres') await assert.rejects(swallowing)
  else await swallowing
  assert.deepEqual(await ids(database), database.dialect === 'postgres' ? [] : [1])
}

async function timed<Tx>(database: Database<Tx>): Promise<void> {
  if (database.timedQuery === undefined) return
  const measure = database.timedQuery.bind(database)
  await database.transaction(async (tx) => {
    const inserted = await measure(tx, insert(1).text, insert(1).values)
    assert.equal(inserted.rowCount, 1)
    const { rows, rowCount, serverMs } = await measure<{ label: string }>(tx, `SELECT label FROM ${TABLE}`)
    assert.deepEqual([rows, rowCount], [[{ label: 'row 1' }], 1])
    assert.ok(serverMs === null || (serverMs >= 0 && serverMs < 60_000), `${serverMs} ms`)
    // Other sessions write as well: at least what this one has.
    const wal = await measure(tx, relabel(1).text, relabel(1).values, { wal: true })
    assert.equal(wal.rowCount, 1)
    assert.ok(wal.walBytes === undefined || wal.walBytes > 0, `${wal.walBytes} bytes of WAL`)
  })
  const failing = database.transaction(async (tx) => {
    await measure(tx, insert(2).text, insert(2).values)
    await measure(tx, insert(1).text, insert(1).values)
  })
  await assert.rejects(failing, /unique|UNIQUE|duplicate/)
  assert.deepEqual(await ids(database), [1])
}

// It may be prepared: its answer must not come from what was prepared, nor may a failure spoil the next one.
async function repeated<Tx>(database: Database<Tx>): Promise<void> {
  const write = (id: number) =>
    pipelinedTransaction(database, [], async (tx) => {
      const { text, values } = insert(id)
      const { rowCount } = await database.query(tx, text, values, { repeated: true })
      const all = `SELECT * FROM ${TABLE} WHERE id = $1`
      const { rows } = await database.query<{ label: string }>(tx, all, [id], { repeated: true })
      return { result: [rowCount, rows.map(({ label }) => label)], closing: [] }
    })
  for (let id = 1; id <= 8; id += 1) assert.deepEqual(await write(id), [1, [`row ${id}`]])
  await assert.rejects(write(8), /unique|UNIQUE|duplicate/)
  await database.transaction((tx) => database.query(tx, `ALTER TABLE ${TABLE} ADD COLUMN added INTEGER`))
  // The one that finds out that its columns are others may fail, but not the one behind it.
  await write(9).catch(() => {})
  assert.deepEqual(await write(10), [1, ['row 10']])
}

function insert(id: number): Statement {
  return { text: `INSERT INTO ${TABLE} (id, label) VALUES ($1, $2)`, values: [id, `row ${id}`] }
}

function relabel(id: number): Statement {
  return { text: `UPDATE ${TABLE} SET label = 'relabelled' WHERE id = $1`, values: [id] }
}
