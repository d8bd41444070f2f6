import fc from 'fast-check'
import type pg from 'pg'
import { backfill } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import { expect, it } from 'vitest'
import { closeLane } from '../../src/batch/lane-closing.js'
import { readFence, type Fence } from '../../src/queue/fence.js'
import { LaneChangedError, type LaneRow } from '../../src/queue/lane-store.js'
import type { Lease } from '../../src/queue/lease.js'
import { QueueStore } from '../../src/queue/queue-store.js'
import { LeaseLostError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import type { Database, Statement } from '../../src/databases/database.js'
import { pipelinedTransaction } from '../../src/databases/pipelined-transaction.js'
import { describePostgres, type TestDatabase } from '../support/postgres.js'
import { updaterOn } from './support.js'

const ROWS = 150
const LEASE_MS = 3_600_000
const LIMITS = {
  statementTimeoutMs: 0,
  lockTimeoutMs: 0,
  idleInTransactionTimeoutMs: 0,
  asynchronousCommit: false,
}

const change = backfill<never>({
  name: 'change',
  table: 'walked',
  set: { done: 'done + 1' },
  lanes: 3,
  defaultBatchSize: 4,
})

/** A runner of one lane, whose steps are taken one by one. */
class Actor {
  lease: Lease | null = null
  #batch: { readonly client: pg.PoolClient; readonly fence: Fence } | null = null
  readonly #database: Database<never>
  readonly #store: QueueStore<never>
  readonly #pool: pg.Pool
  #claims = 0

  constructor(
    readonly name: string,
    database: TestDatabase,
  ) {
    this.#pool = database.pool
    this.#database = fromPg(database.pool) as unknown as Database<never>
    this.#store = new QueueStore(this.#database)
  }

  async claim(): Promise<void> {
    if (this.lease !== null) return
    this.#claims += 1
    const lease = { updateName: 'change', owner: this.name, token: `${this.name} ${this.#claims}`, lane: null }
    const claimed = await this.#store.lanes.claim(lease, LEASE_MS, change.fingerprint ?? null)
    this.lease = claimed === null ? null : { ...lease, lane: claimed.lane }
  }

  /** Reads what the fence reads; whatever happens before `commit` happens while the batch is under way. */
  async begin(): Promise<void> {
    if (this.lease === null || this.#batch !== null) return
    const client = await this.#pool.connect()
    await client.query('BEGIN')
    const nobodyBefore = { dependsOn: [], names: [] }
    const { text, values } = this.#store.fenceStatement(this.lease, nobodyBefore)
    try {
      const fence = readFence(await answer(client, text, values), this.lease, nobodyBefore)
      this.#batch = { client, fence }
    } catch (error) {
      if (!(error instanceof LeaseLostError)) throw error
      await rollBack(client)
      this.lease = null
    }
  }

  async commit(batchSize: number): Promise<void> {
    if (this.lease === null || this.#batch === null) return
    const { client, fence } = this.#batch
    this.#batch = null
    const query = (text: string, values?: readonly unknown[]) => answer(client, text, values)
    const progress = JSON.parse(fence.progressJson) as JsonObject
    const context = {
      query,
      batchSize,
      statementSize: Math.ceil(batchSize / 3),
      rest: async () => {},
      measured: async <T>(work: (own: typeof query) => Promise<T>) => ({ value: await work(query), serverMs: null }),
      progress,
      dialect: 'postgres',
      update: { name: 'change' },
      tx: client,
    } as never
    try {
      const result = await change.lanes?.batch(context)
      const record = {
        progressJson: JSON.stringify(result?.progress),
        items: result?.items ?? 0,
        busyMs: 1,
        batchSize,
        tunerJson: null,
        statisticsJson: '{}',
        waitingText: null,
      }
      const around = { database: this.#database, store: this.#store, leaseMs: LEASE_MS } as never
      const plan = { lease: this.lease, limits: LIMITS } as never
      const fenced = fence.lane ?? { version: -1, failedBefore: false }
      const laneEnded = result?.done === true
      const { closing } = await closeLane(around, change, query as never, plan, { record, fenced, laneEnded })
      for (const { text, values, orElse } of closing) {
        if ((await query(text, values)).rowCount === 0 && orElse) throw orElse()
      }
      await client.query('COMMIT')
      client.release()
      if (laneEnded) this.lease = null
    } catch (error) {
      if (!(error instanceof LaneChangedError || error instanceof LeaseLostError)) throw error
      await rollBack(client)
    }
  }

  /** The process is gone: its transaction is rolled back, its lease runs out. */
  async crash(): Promise<void> {
    if (this.#batch) await rollBack(this.#batch.client)
    this.#batch = null
    await this.expire()
    this.lease = null
  }

  /** It is frozen for longer than its lease lasts, and doesn't know it. */
  async expire(): Promise<void> {
    await this.#pool.query(
      "UPDATE background_update_lanes SET lease_expires_at = now() - INTERVAL '1 s' WHERE lease_token = $1",
      [this.lease?.token],
    )
  }

  async divide(): Promise<void> {
    const rows = await this.#store.lanes.rows('change')
    const seen = rows
      .filter(({ finished }) => !finished)
      .map((row) => ({ row, left: change.lanes?.rowsLeft(JSON.parse(row.progressJson) as JsonObject) ?? 0 }))
      .toSorted((a, b) => b.left - a.left)[0]?.row
    if (seen === undefined) return
    const request = { updateName: 'change', batchSize: 1 }
    const reading = { query: this.#store.read, dialect: 'postgres' } as const
    const halves = await change.lanes?.divide(reading, JSON.parse(seen.progressJson) as JsonObject, request)
    if (!halves) return
    const [kept, added] = halves.map((half) => JSON.stringify(half)) as [string, string]
    await this.#database
      .transaction((tx) => this.#store.lanes.divide(this.#store.within(tx), seen, kept, added))
      .catch((error: unknown) => {
        if (!(error instanceof LaneChangedError)) throw error
      })
  }
}

async function answer(client: pg.PoolClient, text: string, values: readonly unknown[] = []) {
  const { rows, rowCount } = await client.query(text, [...values])
  return { rows: rows as never[], rowCount: rowCount ?? 0 }
}

async function rollBack(client: pg.PoolClient): Promise<void> {
  await client.query('ROLLBACK')
  client.release()
}

const STEP = fc.record({
  actor: fc.integer({ min: 0, max: 2 }),
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constant('claim' as const) },
    { weight: 6, arbitrary: fc.constant('begin' as const) },
    { weight: 6, arbitrary: fc.constant('commit' as const) },
    { weight: 2, arbitrary: fc.constant('divide' as const) },
    { weight: 1, arbitrary: fc.constantFrom('crash' as const, 'expire' as const) },
  ),
  batchSize: fc.integer({ min: 1, max: 12 }),
})

describePostgres('lanes under any interleaving', (postgres) => {
  it('do every key once, whoever claims, divides, freezes or dies when', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 30, maxLength: 80 }), async (steps) => {
        const database = await postgres.freshDatabase()
        await database.pool.query(`
          CREATE TABLE walked (id BIGINT PRIMARY KEY, done INTEGER NOT NULL DEFAULT 0);
          INSERT INTO walked (id) SELECT i * 7 FROM generate_series(1, ${ROWS}) AS i;
          ANALYZE walked`)
        const updater = updaterOn(database, { updates: [change] })
        await updater.install()
        await updater.enqueue(change)
        expect((await updater.runNextBatch()).ran).toBe('change')
        const actors = ['a', 'b', 'c'].map((name) => new Actor(name, database))
        for (const { actor, kind, batchSize } of steps) {
          const one = actors[actor] as Actor
          if (kind === 'commit') await one.commit(batchSize)
          else await one[kind]()
        }
        for (const actor of actors) await actor.crash()
        await updater.runToCompletion()
        const { rows } = await database.pool.query('SELECT DISTINCT done FROM walked')
        expect(rows).toEqual([{ done: 1 }])
        expect(await updater.history()).toMatchObject([{ items: ROWS, progress: { walked: ROWS, changed: ROWS } }])
        await updater.stop()
        await database.dispose()
      }),
      { numRuns: postgres.version === 15 || postgres.version === 18 ? 8 : 2 },
    )
  }, 120_000)

  const queuedChange = async () => {
    const database = await postgres.freshDatabase()
    const updater = updaterOn(database, { updates: [change] })
    await updater.install()
    await updater.enqueue('change')
    const adapter = fromPg(database.pool) as unknown as Database<never>
    return { database, updater, adapter, store: new QueueStore(adapter) }
  }

  it('who lost the update while he cut it does not split it: the batches of who holds it now would be undone', async () => {
    const { adapter, store } = await queuedChange()
    const leaseOf = (owner: string): Lease => ({ updateName: 'change', owner, token: `of ${owner}`, lane: null })
    expect(await store.claim(leaseOf('frozen'), 0, null)).not.toBeNull()
    expect(await store.claim(leaseOf('heir'), LEASE_MS, null)).not.toBeNull()
    const cut = { whole: '{}', lanes: ['{}', '{}'], tunerJson: null }
    const split = (lease: Lease) => adapter.transaction((tx) => store.lanes.split(store.within(tx), lease, cut))
    await expect(split(leaseOf('frozen'))).rejects.toThrow(LeaseLostError)
    expect(await store.lanes.rows('change')).toEqual([])
    await split(leaseOf('heir'))
    expect(await store.lanes.rows('change')).toHaveLength(2)
  })

  it('who lost a lane changes nothing of it, nor of the update, whatever he wants to write', async () => {
    const { database, updater, adapter, store } = await queuedChange()
    const whole: Lease = { updateName: 'change', owner: 'first', token: 'of the whole', lane: null }
    await store.claim(whole, LEASE_MS, null)
    const cut = { whole: '{}', lanes: ['{"n":1}', '{"n":2}'], tunerJson: null }
    await adapter.transaction((tx) => store.lanes.split(store.within(tx), whole, cut))
    const [frozen, heir, other] = ['frozen', 'heir', 'other'].map((owner): Lease => ({ ...whole, owner, token: owner }))
    if (!frozen || !heir || !other) throw new TypeError('no leases')
    // Nobody else may have a lane that is held, and who is frozen has the first.
    expect(await store.lanes.claim(frozen, 0, null)).toMatchObject({ lane: 1 })
    expect(await store.lanes.claim(heir, LEASE_MS, null)).toMatchObject({ lane: 1 })
    expect(await store.lanes.claim(other, LEASE_MS, null)).toMatchObject({ lane: 2 })
    expect(await store.lanes.claim({ ...whole, token: 'late' }, LEASE_MS, null)).toBeNull()
    // Nor the update as a whole.
    expect(await store.claim({ ...whole, token: 'late' }, LEASE_MS, null)).toBeNull()
    const lost = { ...frozen, lane: 1 }
    const tables = async () => [
      (await database.pool.query('SELECT * FROM background_update_lanes ORDER BY lane')).rows as unknown[],
      (await database.pool.query('SELECT * FROM background_updates')).rows as unknown[],
    ]
    const before = await tables()
    const record = {
      progressJson: '{"n":3}',
      items: 1,
      busyMs: 1,
      batchSize: 1,
      tunerJson: null,
      statisticsJson: '{}',
      waitingText: null,
    }
    const inTransaction = (closing: readonly Statement[]) =>
      pipelinedTransaction(adapter, [], async () => ({ result: undefined, closing }))
    const fenced = { version: 0, failedBefore: false }

    await expect(store.fence(store.ask, lost)).rejects.toThrow(LeaseLostError)
    await expect(inTransaction(store.lanes.saving(lost, record, LEASE_MS, fenced))).rejects.toThrow(LaneChangedError)
    // A lane that was divided since its holder's batch began.
    const holds = { ...heir, lane: 1 }
    const stale = { ...fenced, version: -1 }
    await expect(inTransaction(store.lanes.saving(holds, record, LEASE_MS, stale))).rejects.toThrow(LaneChangedError)
    const [first] = await store.lanes.rows('change')
    const seen = { ...(first as LaneRow), version: -1 }
    const dividing = adapter.transaction((tx) => store.lanes.divide(store.within(tx), seen, '{}', '{}'))
    await expect(dividing).rejects.toThrow(LaneChangedError)
    await inTransaction(store.lanes.finishing(lost))
    expect(await adapter.transaction((tx) => store.countersOfFailure(store.within(tx), lost))).toBeNull()
    expect(await store.pauseOwn(lost, 'us', 'reason', 'error')).toBe(false)
    expect(await store.renew(lost, 2 * LEASE_MS)).toBe(false)
    expect(await store.release(lost)).toBe(false)
    expect(await tables()).toEqual(before)

    // A lane that has ended is nobody's, and not to be divided.
    await inTransaction(store.lanes.finishing(holds))
    expect(await store.lanes.claim({ ...whole, token: 'late' }, LEASE_MS, null)).toBeNull()
    const ended = adapter.transaction((tx) => store.lanes.divide(store.within(tx), first as LaneRow, '{}', '{}'))
    await expect(ended).rejects.toThrow(LaneChangedError)
    // Nor is a lane of an update that is paused.
    await store.release({ ...other, lane: 2 })
    await updater.pause('change')
    expect(await store.lanes.claim({ ...whole, token: 'late' }, LEASE_MS, null)).toBeNull()
  })
})
