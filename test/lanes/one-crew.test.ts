import { backfill, type Database, type UpdateDefinition } from 'evenkeel'
import { expect, it } from 'vitest'
import { gate, update } from '../engine/support.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { countedTable, expectEachRowOnce, lanesUsed, updaterOn } from './support.js'

type Updater = ReturnType<typeof updaterOn>

const ROWS = 6_000
const LANES = 4
const change = backfill<never>({
  name: 'change',
  table: 'walked',
  set: { value: '1' },
  defaultBatchSize: 100,
  maxBatchSize: 100,
})

async function splitUpdate(database: TestDatabase, others: readonly UpdateDefinition<never, never>[] = []) {
  await countedTable(
    database.pool,
    'id BIGINT, value INTEGER',
    'id',
    `INSERT INTO walked (id) SELECT i FROM generate_series(1, ${ROWS}) AS i; ANALYZE walked`,
  )
  const updater = updaterOn(database, { updates: [change, ...others], lanes: LANES })
  const most = mostAtOnce(updater.database)
  await updater.install()
  await updater.enqueue('change')
  return { updater, most }
}

/** How many transactions of batches were open at once, at most: each helper and the main loop may have one. */
function mostAtOnce(database: Database<never>): () => number {
  let [open, most] = [0, 0]
  const run = database.pipelinedTransaction?.bind(database)
  if (run === undefined) throw new Error('batches are expected to be pipelined')
  const counted: typeof run = async (opening, fn, options) => {
    open += 1
    most = Math.max(most, open)
    try {
      return await run(opening, fn, options)
    } finally {
      open -= 1
    }
  }
  Object.assign(database, { pipelinedTransaction: counted })
  return () => most
}

function batches(updater: Updater, count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0
    updater.on('batch:success', () => {
      seen += 1
      if (seen === count) resolve()
    })
  })
}

describePostgres('helpers work for one at a time', (postgres) => {
  it('of two runToCompletion() at once', async () => {
    const database = await postgres.freshDatabase()
    const { updater, most } = await splitUpdate(database)
    const used = lanesUsed(updater)
    await Promise.all([updater.runToCompletion(), updater.runToCompletion()])
    expect(most()).toBeLessThanOrEqual(LANES)
    expect(used.size).toBeGreaterThan(1)
    await expectEachRowOnce(database.pool)
  })

  it('and for the run that begins while runToCompletion() is under way; that one still comes to its end', async () => {
    const database = await postgres.freshDatabase()
    const { updater, most } = await splitUpdate(database)
    const used = lanesUsed(updater)
    const some = batches(updater, 10)
    const complete = updater.runToCompletion()
    await some
    await updater.start()
    expect(await complete).toMatchObject({ completed: ['change'] })
    expect(most()).toBeLessThanOrEqual(LANES)
    expect(used.size).toBeGreaterThan(1)
    await expectEachRowOnce(database.pool)
  })

  it('when its time has come: who waits for something else keeps them from nobody who can run', async () => {
    const database = await postgres.freshDatabase()
    const [running, finish] = [gate(), gate()]
    const held = update('held', async () => {
      running.open()
      await finish.opened
      return { items: 1, done: true }
    })
    const { updater } = await splitUpdate(database, [held])
    const holder = updaterOn(database, { updates: [held], lanes: 1 })
    await updater.enqueue('held')
    const holding = holder.runNextBatch()
    await running.opened
    const waiting = updater.runToCompletion({ names: ['held'] })
    // Its turn doesn't come, and it ends all the same.
    expect(await updater.runToCompletion({ names: ['change'] })).toMatchObject({ completed: ['change'] })
    await updater.enqueue('change')
    const used = lanesUsed(updater)
    await updater.start()
    await updater.waitFor('change')
    expect(used.size).toBeGreaterThan(1)
    expect((await database.pool.query('SELECT DISTINCT done FROM walked')).rows).toEqual([{ done: 2 }])
    finish.open()
    expect(await waiting).toMatchObject({ completed: ['held'] })
    await holding
  })
})
