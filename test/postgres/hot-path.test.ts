import type { Socket } from 'node:net'
import type pg from 'pg'
import {
  backfill,
  BackgroundUpdater,
  defineUpdate,
  deleteRows,
  noPace,
  rowBackfill,
  type Database,
  type Pace,
  type PaceSample,
  type QueryResult,
  type TunerSample,
  type UpdateDefinition,
} from 'evenkeel'
import { fromPg, type FromPgOptions } from 'evenkeel/pg'
import { fakeClock } from 'evenkeel/testing'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { batchesOf } from '../support/walks.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'

const WAY_MS = 60_000

type AnyUpdate = UpdateDefinition<never, never>

/** A pool of one connection that counts how often it writes after it has read: the round trips. */
function countingPool(database: TestDatabase): { readonly pool: pg.Pool; take(): number } {
  const pool = database.openPool({ max: 1 })
  let trips = 0
  let answered = true
  pool.on('connect', (client) => {
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
    const write = stream._write.bind(stream)
    const writev = stream._writev?.bind(stream)
    const count = () => {
      if (answered) trips += 1
      answered = false
    }
    stream._write = (...given) => (count(), write(...given))
    stream._writev = (...given) => (count(), writev?.(...given))
    stream.on('data', () => {
      answered = true
    })
  })
  return {
    pool,
    take() {
      const taken = trips
      trips = 0
      return taken
    },
  }
}

/** As an adapter is that can't measure how long the server works. */
function withoutServerTime(database: Database<never>): Database<never> {
  return new Proxy(database, {
    get(target, key) {
      const value: unknown = key === 'timedQuery' ? undefined : Reflect.get(target, key)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

describePostgres('the hot path', (postgres) => {
  let database: TestDatabase
  /** The pool of the last `tripsOf()`. */
  let latest: { readonly pool: pg.Pool }

  beforeEach(async () => {
    database = await postgres.freshDatabase()
    await database.pool.query('CREATE TABLE items (id bigint PRIMARY KEY, value integer NOT NULL DEFAULT 0)')
    await database.pool.query('INSERT INTO items (id) SELECT generate_series(1, 100)')
  })

  /** Round trips of each batch of the loop that start() runs. */
  async function tripsOf(
    update: AnyUpdate,
    options: FromPgOptions = {},
    pace: Pace = noPace(),
    adapter: (database: Database<never>) => Database<never> = (each) => each,
  ): Promise<number[]> {
    const counting = countingPool(database)
    latest = counting
    const updater = new BackgroundUpdater<never>({
      database: adapter(fromPg(counting.pool, options) as never),
      updates: [update],
      tuner: batchesOf(10),
      pace,
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(update)
    const trips: number[] = []
    updater.on('batch:success', () => trips.push(counting.take()))
    const complete = new Promise((resolve) => updater.once('update:complete', resolve))
    await updater.start()
    await complete
    await updater.stop()
    return trips
  }

  // BEGIN with settings, fence and the bound of the range; the UPDATE; the progress with COMMIT. Two could not tell how
  // many rows the range has before they are locked; a queue that is looked at in a statement of its own would be four.
  it('takes three round trips for a batch of backfill', async () => {
    const trips = await tripsOf(backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } }))
    expect(trips).toHaveLength(10)
    expect(trips.slice(2, -1)).toEqual(Array(7).fill(3))
    const { rows } = await database.pool.query('SELECT DISTINCT value FROM items')
    expect(rows).toEqual([{ value: 1 }])
  })

  it('takes three round trips for a batch of deleteRows', async () => {
    const options = { name: 'purge', table: 'items', where: 'id % 2 = 0', maxDeletes: 'unlimited' } as const
    const trips = await tripsOf(deleteRows(options))
    expect(trips.slice(2, -1)).toEqual(Array(7).fill(3))
  })

  it('takes two round trips for a batch that does nothing', async () => {
    const empty = defineUpdate<never, { n: number }>({
      name: 'empty',
      progress: { n: 0 },
      batch: async ({ progress: { n } }) => ({ items: 0, progress: { n: n + 1 }, done: n >= 5 }),
    })
    expect((await tripsOf(empty as AnyUpdate)).slice(1)).toEqual([2, 2, 2, 2, 2])
  })

  it('cuts a batch into small statements where the pace says so, and takes one round trip for each', async () => {
    const sliced: Pace = {
      ignoresSignals: true,
      beforeBatch: () => ({ ms: 0, why: 'a test', statements: { ms: 0.001, restMs: 1 } }),
    }
    const walk = backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } })
    const trips = await tripsOf(walk, {}, sliced, withoutServerTime)
    // As the statements are never quick enough, at last each has one row; the bounds of all came with the fence.
    expect(trips.slice(-3, -1)).toEqual([2 + 10, 2 + 10])
    const { rows } = await database.pool.query('SELECT DISTINCT value FROM items')
    expect(rows).toEqual([{ value: 1 }])
  })

  it('times statements by the clock of the server without a round trip more, but for the three without rows', async () => {
    const sliced: Pace = {
      ignoresSignals: true,
      beforeBatch: () => ({ ms: 0, why: 'a test', statements: { ms: 60_000, restMs: 1 } }),
    }
    const trips = await tripsOf(backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } }), {}, sliced)
    expect(trips.slice(1, -1)).toEqual([4, 4, 3, 3, 3, 3, 3, 3])
    const { rows } = await database.pool.query('SELECT DISTINCT value FROM items')
    expect(rows).toEqual([{ value: 1 }])
  })

  it('learns nothing about small statements from batches in one piece', async () => {
    let asked = 0
    const pace: Pace = {
      ignoresSignals: true,
      beforeBatch: () => ({ ms: 0, why: 'a test', ...(++asked > 3 ? { statements: { ms: 0.001, restMs: 0 } } : {}) }),
    }
    const walk = backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } })
    const trips = await tripsOf(walk, {}, pace, withoutServerTime)
    // The sixth batch in statements, which began with 100 rows and were halved with each: four statements for ten rows.
    expect(trips.at(-2)).toBe(2 + 4)
  })

  it('counts the rests between small statements as time of the batch, but not as what its rows cost', async () => {
    const costs: number[] = []
    const fixed = batchesOf(10)
    const updater = new BackgroundUpdater<never>({
      database: withoutServerTime(fromPg(database.pool) as never),
      updates: [backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } })],
      tuner: (context) => {
        const tuner = fixed(context)
        return { ...tuner, next: () => 10, record: ({ durationMs }) => costs.push(durationMs) }
      },
      pace: {
        ignoresSignals: true,
        beforeBatch: () => ({ ms: 0, why: 'a test', targetMs: 10, statements: { ms: 0.001, restMs: 3 } }),
      },
      // Nothing but a rest takes time by this clock.
      clock: fakeClock({ autoAdvance: true }),
    })
    onTestFinished(() => updater.stop())
    const durations: number[] = []
    updater.on('batch:success', ({ durationMs }) => durations.push(durationMs))
    await updater.install()
    await updater.enqueue('walk')
    const complete = new Promise((resolve) => updater.once('update:complete', resolve))
    await updater.start()
    await complete
    await updater.stop()
    expect(durations.at(-1)).toBe(9 * 3)
    expect(costs).toEqual(costs.map(() => 0))
  })

  it.each(
    [
      backfill<never>({ name: 'walk', table: 'items', set: { value: 'value + 1' } }),
      deleteRows({ name: 'purge', table: 'items', where: 'id % 2 = 0', maxDeletes: 'unlimited' }),
      rowBackfill<{ value: number }>({
        name: 'rows',
        table: 'items',
        columns: ['value'],
        map: ({ value }) => ({ value: value + 1 }),
      }),
    ].flatMap((update) => [
      { name: update.name, update: update as AnyUpdate, limits: { ms: 60_000, restMs: 0 } },
      // A way that is longer than the rest is one: by this clock a rest of its own would never end.
      {
        name: `${update.name}, some rows at a time`,
        update: update as AnyUpdate,
        limits: { ms: 0.001, restMs: WAY_MS / 2 },
      },
    ]),
  )('beside others does not take the way to the server for what rows cost: $name', async ({ update, limits }) => {
    await database.pool.query('INSERT INTO items (id) SELECT generate_series(101, 2000)')
    const inPieces = limits.restMs > 0
    const clock = fakeClock()
    const slow = new Proxy(fromPg(database.pool) as unknown as Database<never>, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key)
        if (typeof value !== 'function') return value
        const method = value.bind(target) as (...given: unknown[]) => Promise<unknown>
        if (key !== 'timedQuery' && key !== 'query') return method
        return async (...given: unknown[]) => {
          const answer = await method(...given)
          clock.advance(WAY_MS)
          return answer
        }
      },
    })
    const samples: TunerSample[] = []
    const updater = new BackgroundUpdater<never>({
      database: slow,
      updates: [update],
      tuner: () => ({ ...batchesOf(inPieces ? 300 : 100)({} as never), record: (sample) => void samples.push(sample) }),
      pace: {
        ignoresSignals: true,
        beforeBatch: () => ({ ms: 0, why: 'a test', statements: limits }),
      },
      clock,
    })
    await updater.install()
    await updater.enqueue(update.name)
    const complete = new Promise((resolve) => updater.once('update:complete', resolve))
    onTestFinished(() => updater.stop())
    await updater.start()
    await complete
    await updater.stop()
    expect(samples.length).toBeGreaterThan(5)
    // The first one also reads the catalogue and the ends of the table.
    for (const { durationMs, overheadMs = 0 } of samples.slice(1)) {
      expect(durationMs).toBeGreaterThanOrEqual(WAY_MS)
      // That of the first statement, but for the moment that the server works.
      expect(overheadMs).toBeGreaterThan(0.95 * WAY_MS)
      // Those of further statements grow with the batch: they keep to the target as rows do.
      if (!inPieces) expect(durationMs - overheadMs).toBeLessThan(WAY_MS)
    }
  })

  it.each(['by its own clock', 'as seen from here'])(
    'beside others does not take for what rows cost what the server does for every statement, %s',
    async (measured) => {
      const [perStatementMs, perRowMs] = [7_000, 10]
      const clock = fakeClock()
      const dear = new Proxy(fromPg(database.pool) as unknown as Database<never>, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key)
          if (key === 'timedQuery' && measured !== 'by its own clock') return undefined
          if (typeof value !== 'function') return value
          const method = value.bind(target) as (...given: unknown[]) => Promise<QueryResult<unknown>>
          if (key !== 'timedQuery' && key !== 'query') return method
          return async (...given: unknown[]) => {
            const answer = await method(...given)
            const serverMs = /UPDATE/.test(String(given[1])) ? perStatementMs + perRowMs * answer.rowCount : 0
            clock.advance(serverMs)
            return { ...answer, serverMs }
          }
        },
      })
      const costs: number[] = []
      const record = ({ durationMs, overheadMs = 0 }: TunerSample) => void costs.push(durationMs - overheadMs)
      const updater = new BackgroundUpdater<never>({
        database: dear,
        updates: [backfill<never>({ name: 'walk', table: 'items', set: { value: 'value + 1' } })],
        tuner: () => ({ ...batchesOf(10)({} as never), record }),
        pace: {
          ignoresSignals: true,
          beforeBatch: () => ({ ms: 0, why: 'a test', statements: { ms: 60_000, restMs: 0 } }),
        },
        clock,
      })
      await updater.install()
      await updater.enqueue('walk')
      const complete = new Promise((resolve) => updater.once('update:complete', resolve))
      onTestFinished(() => updater.stop())
      await updater.start()
      await complete
      await updater.stop()
      // The first one also reads the catalogue, which takes time by another clock.
      expect(costs.slice(1, -1).map(Math.round)).toEqual(Array(costs.length - 2).fill(10 * perRowMs))
      expect(costs.length).toBeGreaterThan(5)
    },
  )

  it.each([
    backfill<never>({ name: 'walk', table: 'items', set: { value: 'value + 1' } }),
    deleteRows({ name: 'purge', table: 'items', where: 'id % 2 = 0', maxDeletes: 'unlimited' }),
    rowBackfill<{ value: number }>({ name: 'rows', table: 'items', columns: ['value'], map: () => ({ value: 1 }) }),
  ])(
    'does not take the look at the catalogue and at the ends of the table for what rows cost: $name',
    async (update) => {
      // By a clock on which each look takes a second more.
      const LOOK_MS = 1_000
      const now = performance.now.bind(performance)
      let lookedMs = 0
      vi.spyOn(performance, 'now').mockImplementation(() => now() + lookedMs)
      onTestFinished(() => void vi.restoreAllMocks())
      const slow = new Proxy(fromPg(database.pool) as unknown as Database<never>, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key)
          if (typeof value !== 'function') return value
          const method = value.bind(target) as (...given: unknown[]) => Promise<unknown>
          if (key !== 'query') return method
          return async (...given: unknown[]) => {
            if (/pg_class|pg_attribute|evenkeel_first/.test(String(given[1]))) lookedMs += LOOK_MS
            return method(...given)
          }
        },
      })
      const samples: TunerSample[] = []
      const updater = new BackgroundUpdater<never>({
        database: slow,
        updates: [update],
        tuner: () => ({ ...batchesOf(100)({} as never), record: (sample) => void samples.push(sample) }),
        pace: noPace(),
      })
      onTestFinished(() => updater.stop())
      await updater.install()
      await updater.enqueue(update.name)
      await updater.runNextBatch()
      // The table, its columns, its indexes, how they compare, and its ends.
      expect(samples[0]?.overheadMs).toBeGreaterThan(5 * LOOK_MS)
    },
  )

  it('measures the WAL of a batch, and of how many of its rows that was, where the pace asks for it', async () => {
    const samples: PaceSample[] = []
    const pace: Pace = {
      ignoresSignals: true,
      beforeBatch: () => ({ ms: 0, why: 'a test', statements: { ms: 60_000, restMs: 0, wal: true } }),
      afterBatch: (sample) => void samples.push(sample),
    }
    const walk = backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } })
    const updater = new BackgroundUpdater({
      database: fromPg(database.pool),
      updates: [walk],
      tuner: batchesOf(10),
      pace,
    })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(walk)
    const complete = new Promise((resolve) => updater.once('update:complete', resolve))
    await updater.start()
    await complete
    const { wal } = samples[0] ?? {}
    expect(wal?.items).toBe(10)
    // Ten new versions of a row are more than that; how much is the server's business.
    expect(wal?.bytes).toBeGreaterThan(10 * 24)
    expect(wal?.ms).toBeGreaterThan(0)
    // The last one finds nothing left, and no statement.
    expect(samples.slice(0, -1).every((sample) => sample.wal !== undefined)).toBe(true)
  })

  it('leaves a client as it was when several statements are timed at once', async () => {
    const adapter = fromPg(database.pool)
    await adapter.transaction(async (tx) => {
      const timed = [1, 2, 3].map(async (n) => adapter.timedQuery?.(tx, 'SELECT $1::int AS n', [n]))
      expect((await Promise.all(timed)).map((answer) => answer?.rows)).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]])
      expect((tx as { pipeline?: unknown }).pipeline).toBe(false)
    })
  })

  it('keeps the limit of deleteRows over the statements of a batch: it is rolled back whole', async () => {
    const sliced: Pace = {
      ignoresSignals: true,
      beforeBatch: () => ({ ms: 0, why: 'a test', statements: { ms: 0.001, restMs: 1 } }),
    }
    const updater = new BackgroundUpdater<never>({
      database: fromPg(database.pool) as never,
      updates: [deleteRows({ name: 'purge', table: 'items', where: 'id > 4', maxDeletes: 70 })],
      tuner: batchesOf(10),
      pace: sliced,
      logger: { debug() {}, info() {}, warn() {}, error() {} },
    })
    await updater.install()
    await updater.enqueue('purge')
    onTestFinished(() => updater.stop())
    await updater.start()
    await expect(updater.waitFor('purge', { timeoutMs: 60_000 })).rejects.toThrow(/70/)
    expect((await database.pool.query('SELECT count(*)::int AS n FROM items')).rows).toEqual([{ n: 34 }])
  })

  it('takes no more through a pooler, where nothing is prepared', async () => {
    const update = backfill({ name: 'walk', table: 'items', set: { value: '1' } }) as AnyUpdate
    expect((await tripsOf(update, { transactionPooler: true })).slice(2, -1)).toEqual(Array(7).fill(3))
    const { pool } = latest
    expect((await pool.query('SELECT name FROM pg_prepared_statements')).rows).toEqual([])
  })

  it('prepares the few texts that come with every batch, and survives that somebody deallocates them', async () => {
    let deallocated = false
    const update = defineUpdate<never, { n: number }>({
      name: 'steps',
      progress: { n: 0 },
      batch: async ({ progress: { n }, query }) => {
        if (n === 3 && !deallocated) {
          deallocated = true
          await query('DEALLOCATE ALL')
        }
        return { items: 1, progress: { n: n + 1 }, done: n >= 5 }
      },
    })
    const { pool } = countingPool(database)
    const quiet = { debug() {}, info() {}, warn() {}, error() {} }
    const options = { updates: [update as AnyUpdate], clock: fakeClock({ autoAdvance: true }), logger: quiet }
    const updater = new BackgroundUpdater<never>({ database: fromPg(pool) as never, ...options })
    await updater.install()
    await updater.enqueue(update)
    await updater.runNextBatch()
    const prepared = (await pool.query<{ name: string }>('SELECT name FROM pg_prepared_statements')).rows
    expect(prepared.length).toBeGreaterThan(1)
    expect(prepared.every(({ name }) => name.startsWith('evenkeel_'))).toBe(true)
    await updater.runToCompletion()
    expect(deallocated).toBe(true)
    expect(await updater.history()).toMatchObject([{ outcome: 'completed', failures: 0, batches: 6 }])
  })

  it('limits a batch by settings of its transaction alone, and says whose it is', async () => {
    const names = ['application_name', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
    const shown = [...names, 'synchronous_commit'].map((name) => `current_setting('${name}') AS ${name}`).join(', ')
    const seen: unknown[] = []
    const update = defineUpdate({
      name: 'größe',
      lockTimeoutMs: 2_000,
      batch: async ({ query }) => {
        seen.push((await query(`SELECT ${shown}`)).rows[0])
        return { items: 1, done: true }
      },
    }) as AnyUpdate
    const pool = database.openPool({ max: 1 })
    const options = { updates: [update], statementTimeoutMs: 5_000, idleInTransactionTimeoutMs: 7_000 }
    const updater = new BackgroundUpdater<never>({ database: fromPg(pool) as never, ...options })
    await updater.install()
    await updater.enqueue(update)
    const before = (await pool.query(`SELECT ${shown}`)).rows
    await updater.runToCompletion()
    expect(seen).toEqual([
      {
        application_name: 'evenkeel:gr??e',
        statement_timeout: '5s',
        lock_timeout: '2s',
        idle_in_transaction_session_timeout: '7s',
        synchronous_commit: 'off',
      },
    ])
    expect((await pool.query(`SELECT ${shown}`)).rows).toEqual(before)
  })

  it('waits for the disk at the end of an update, and with every batch when it is told to', async () => {
    const commits: string[] = []
    await database.pool.query(
      `CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE WARNING 'commit %', current_setting('synchronous_commit'); RETURN NULL; END $$`,
    )
    const update = (name: string, asynchronousCommit?: boolean) =>
      backfill({ name, table: 'items', set: { value: '1' }, asynchronousCommit }) as AnyUpdate
    const updates = [update('default'), update('durable', false)]
    const pool = database.openPool({ max: 1 })
    pool.on('connect', (client) => client.on('notice', ({ message }) => commits.push(message ?? '')))
    const settings = { updates, tuner: batchesOf(60) }
    const updater = new BackgroundUpdater<never>({ database: fromPg(pool) as never, ...settings })
    await updater.install()
    // Deferred to the end of the transaction: what is set then is what COMMIT obeys.
    await database.pool.query(
      `CREATE CONSTRAINT TRIGGER noting AFTER UPDATE OR DELETE ON background_updates
       DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.lease_token IS NOT NULL) EXECUTE FUNCTION noting()`,
    )
    await updater.enqueue(updates[0] as AnyUpdate)
    await updater.runToCompletion()
    expect(commits).toEqual(['commit off', 'commit on'])
    commits.length = 0
    await updater.enqueue(updates[1] as AnyUpdate)
    await updater.runToCompletion()
    expect(new Set(commits)).toEqual(new Set(['commit on']))
  })

  it('does not use a bound that was read ahead for another progress', async () => {
    const update = backfill({ name: 'walk', table: 'items', set: { value: 'value + 1' } }) as AnyUpdate
    const settings = { updates: [update], tuner: batchesOf(10), pace: noPace() }
    const updater = new BackgroundUpdater<never>({ database: fromPg(database.openPool()) as never, ...settings })
    onTestFinished(() => updater.stop())
    await updater.install()
    await updater.enqueue(update)
    let batches = 0
    const moved = new Promise<void>((resolve) => {
      updater.on('batch:start', () => {
        batches += 1
        if (batches !== 4) return
        // Somebody moves the walk on by hand while the runner remembers where it was.
        void database.pool
          .query(
            `UPDATE background_updates
             SET progress_json = jsonb_set(progress_json::jsonb, '{lower}', '["60"]')::text`,
          )
          .then(() => resolve())
      })
    })
    const complete = new Promise((resolve) => updater.once('update:complete', resolve))
    await updater.start()
    await Promise.all([moved, complete])
    const { rows } = await database.pool.query<{ most: number; least: number }>(
      'SELECT max(value) AS most, min(value) FILTER (WHERE id > 70) AS least FROM items',
    )
    expect(rows).toEqual([{ most: 1, least: 1 }])
  })
})
