import { createHash } from 'node:crypto'
import type { BackgroundUpdater } from 'evenkeel'
import { expect, it } from 'vitest'
import { describeDatabases, type EitherDatabase } from '../support/databases.js'
import { installed, jumpingClock, memoryLogger, observed, uninstalled, update } from './support.js'

/** A table whose trigger counts how often each row was changed. */
async function countedRows(fresh: EitherDatabase, rows: number): Promise<void> {
  await fresh.query(
    'CREATE TABLE items (id INTEGER PRIMARY KEY, value INTEGER NOT NULL DEFAULT 0, changes INTEGER NOT NULL DEFAULT 0)',
  )
  await fresh.query(
    `INSERT INTO items (id) VALUES ${Array.from({ length: rows }, (_, index) => `(${index + 1})`).join(', ')}`,
  )
  if (fresh.database.dialect === 'sqlite') {
    await fresh.query(
      'CREATE TRIGGER counting AFTER UPDATE OF value ON items BEGIN UPDATE items SET changes = changes + 1 WHERE id = NEW.id; END',
    )
    return
  }
  await fresh.query(
    'CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.changes = OLD.changes + 1; RETURN NEW; END $$',
  )
  await fresh.query('CREATE TRIGGER counting BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION count_change()')
}

const incrementing = update('increment', async ({ query, progress }) => {
  const { last = 0 } = progress as { last?: number }
  await query('UPDATE items SET value = value + 10 WHERE id > $1 AND id <= $2', [last, last + 2])
  return { items: 2, progress: { last: last + 2 }, done: last + 2 >= 6 }
})

describeDatabases('one batch of a transactional update', ({ fresh, dialect }) => {
  it('commits data and progress together, and the end with its history', async () => {
    const database = await fresh()
    await countedRows(database, 6)
    const updater = await installed(database, { updates: [incrementing], owner: 'me' })
    await updater.enqueue(incrementing, { by: 'ann' })
    await updater.runNextBatch()
    const { rows } = await database.query('SELECT progress_json AS p FROM background_updates')
    expect(rows).toEqual([{ p: '{"last":2}' }])
    expect((await database.query('SELECT id FROM items WHERE value = 10 ORDER BY id')).rows).toEqual([
      { id: 1 },
      { id: 2 },
    ])
    await updater.runToCompletion()
    expect(await updater.history()).toEqual([
      {
        id: 1,
        name: 'increment',
        outcome: 'completed',
        enqueuedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        enqueuedBy: 'ann',
        startedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        finishedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
        finishedBy: 'me',
        reason: null,
        batches: 3,
        items: 6,
        busyMs: expect.any(Number) as number,
        failures: 0,
        lastError: null,
        progress: { last: 6 },
      },
    ])
  })

  it('a process that dies before any statement or commit loses nothing and repeats nothing', async () => {
    const database = await fresh()
    const other = database.another()
    const setUp = await installed(database, { updates: [incrementing] })
    await countedRows(database, 6)
    let died = true
    for (let deadly = 1; died; deadly += 1) {
      await database.query('DELETE FROM items')
      await database.query('INSERT INTO items (id) VALUES (1), (2), (3), (4), (5), (6)')
      await setUp.enqueue(incrementing)
      let statements = 0
      died = false
      const mortal = observed(other, () => {
        statements += 1
        died ||= statements >= deadly
        if (died) throw new Error('Connection terminated unexpectedly')
      })
      const doomed = uninstalled({ database: mortal }, { updates: [incrementing], owner: 'doomed', leaseMs: 1 })
      await runAll(doomed).catch(() => {})
      // Whoever comes next, after the lease of 1 ms.
      const heir = uninstalled(database, { updates: [incrementing], pollMs: 1 })
      await heir.runToCompletion()
      const { rows } = await database.query('SELECT DISTINCT value, changes FROM items')
      expect(rows, `died before statement ${deadly}`).toEqual([{ value: 10, changes: 1 }])
      const history = await heir.history({ limit: 1_000 })
      expect(history).toHaveLength(deadly)
      expect(history[0]).toMatchObject({ outcome: 'completed', batches: 3, items: 6, failures: 0 })
    }
  }, 120_000)

  it('hands the handler a private copy: one that changes it and throws leaves no trace', async () => {
    const database = await fresh()
    const clock = jumpingClock()
    const seen: unknown[] = []
    const careless = update('careless', async ({ progress, query }) => {
      const mutable = progress as unknown as { nested: { list: number[] }; extra?: boolean }
      seen.push(structuredClone(mutable))
      mutable.nested.list.push(4)
      mutable.extra = true
      await query('INSERT INTO traces VALUES (1)')
      if (seen.length < 3) throw new Error('after changing it')
      return { items: 0, done: true }
    })
    await database.query('CREATE TABLE traces (n INTEGER)')
    const updater = await installed(database, { updates: [careless], clock })
    await updater.enqueue(careless, { progress: { nested: { list: [1, 2, 3] } } })
    await updater.runToCompletion()
    expect(seen).toEqual(Array(3).fill({ nested: { list: [1, 2, 3] } }))
    expect((await database.query('SELECT n FROM traces')).rows).toEqual([{ n: 1 }])
    // What was not returned was not saved.
    expect((await updater.history())[0]?.progress).toEqual({ nested: { list: [1, 2, 3] } })
  })

  it('gives the handler everything that api.md names', async () => {
    const database = await fresh()
    const logger = memoryLogger()
    const keys: string[][] = []
    const curious = update('curious', async (context) => {
      keys.push(Object.keys(context))
      const { batchSize, targetMs, signal, log, update: identity, prepared, tx } = context
      expect({ batchSize, targetMs, aborted: signal.aborted, identity, prepared }).toEqual({
        batchSize: 100,
        targetMs: dialect === 'sqlite' ? 25 : 100,
        aborted: false,
        identity: { name: 'curious', databaseName: 'shard7' },
        prepared: undefined,
      })
      expect(tx).toBeTypeOf('object')
      log.info({ here: 1 }, 'from the handler')
      return { items: 0, done: true }
    })
    const updater = await installed(database, { updates: [curious], databaseName: 'shard7', logger })
    await updater.enqueue(curious)
    await updater.runToCompletion()
    expect(keys[0]).toEqual(
      expect.arrayContaining(['tx', 'progress', 'batchSize', 'targetMs', 'signal', 'log', 'update', 'prepared']),
    )
    expect(logger.entries).toContainEqual({ level: 'info', details: { here: 1 }, message: 'from the handler' })
  })

  it('zero items end nothing; done alone does', async () => {
    let calls = 0
    const empty = update('empty', async () => ({ items: 0, progress: { calls: ++calls }, done: calls === 25 }))
    const updater = await installed(await fresh(), { updates: [empty] })
    await updater.enqueue(empty)
    await updater.runToCompletion()
    expect(calls).toBe(25)
  })

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['an array', []],
    ['no items', { done: true }],
    ['a fraction', { items: 1.5, done: true }],
    ['less than none', { items: -1, done: true }],
    ['NaN', { items: NaN, done: true }],
    ['Infinity', { items: Infinity, done: true }],
    ['a text', { items: '5', done: true }],
    ['a bigint', { items: 5n, done: true }],
    ['a done that is no boolean', { items: 1, done: 'yes' }],
  ])('refuses a result that is %s, and rolls back', async (_name, result) => {
    const database = await fresh()
    await database.query('CREATE TABLE traces (n INTEGER)')
    const bad = update('bad', async ({ query }) => {
      await query('INSERT INTO traces VALUES (1)')
      return result
    })
    const updater = await installed(database, { updates: [bad] })
    const errors: Error[] = []
    updater.on('batch:failure', ({ error }) => errors.push(error))
    await updater.enqueue(bad)
    expect(await updater.runNextBatch()).toEqual({ ran: 'bad', complete: false })
    expect(errors).toMatchObject([{ name: 'InvalidBatchResultError', code: 'INVALID_BATCH_RESULT' }])
    expect((await database.query('SELECT n FROM traces')).rows).toEqual([])
  })

  it('prepare runs before the transaction opens, with its own copy, and hands over what it returns', async () => {
    const database = await fresh()
    await database.query('CREATE TABLE notes (text TEXT)')
    const order: string[] = []
    const prepared = update(
      'prepared',
      async ({ prepared: value, query, progress }) => {
        order.push(`batch ${JSON.stringify(progress)}`)
        await query('INSERT INTO notes VALUES ($1)', [(value as unknown as { hash: string }).hash])
        return { items: 1, progress: { step: 1 }, done: true }
      },
      {
        async prepare({
          progress,
          query,
          batchSize,
          update: { name },
        }: {
          progress: object
          batchSize: number
          update: { name: string }
          query: EitherDatabase['query']
        }) {
          order.push(`prepare ${JSON.stringify(progress)} ${batchSize}`)
          Object.assign(progress, { changed: true })
          // No transaction is open: another connection can write meanwhile.
          await database.query("INSERT INTO notes VALUES ('from outside')")
          expect((await query('SELECT text FROM notes')).rows).toEqual([{ text: 'from outside' }])
          return { hash: createHash('sha1').update(name).digest('hex') }
        },
      } as never,
    )
    const updater = await installed(database, { updates: [prepared] })
    await updater.enqueue(prepared)
    await updater.runToCompletion()
    expect(order).toEqual(['prepare {} 100', 'batch {}'])
    expect((await database.query('SELECT text FROM notes')).rows).toEqual([
      { text: 'from outside' },
      { text: createHash('sha1').update('prepared').digest('hex') },
    ])
  })

  it('fails an update that brought neither new progress nor done ten times in a row, and counts anew after retry', async () => {
    let calls = 0
    const stuck = update('stuck', async () => ({ items: 5, progress: calls++ === 3 ? { moved: true } : undefined }))
    const updater = await installed(await fresh(), { updates: [stuck] })
    const stalls: string[] = []
    updater.on('update:stall', ({ updateName }) => stalls.push(updateName))
    await updater.enqueue(stuck)
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    expect(calls).toBe(14)
    expect(stalls).toEqual(['stuck'])
    expect((await updater.databaseStatus()).updates).toMatchObject([
      {
        state: 'failed',
        batches: 14,
        failures: 1,
        lastError: expect.stringContaining('10 batches in a row') as string,
      },
    ])
    await updater.retry('stuck')
    await expect(updater.runToCompletion()).rejects.toMatchObject({ code: 'NEEDS_PERSON' })
    expect(calls).toBe(24)
  })
})

async function runAll(updater: BackgroundUpdater<never>): Promise<void> {
  while (!(await updater.runNextBatch()).complete);
}
