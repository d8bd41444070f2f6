// Checked by `npm run typecheck`, never run: the types of the public surface as api.md shows it.
import type BetterSqlite3 from 'better-sqlite3'
import {
  backfill,
  BackgroundUpdater,
  BackgroundUpdaterGroup,
  defineUpdate,
  emaTuner,
  fixedPace,
  guardedTuner,
  noPace,
  UpdaterStatus,
  type CompletionResult,
  type Database,
  type HistoryEntry,
  type JsonObject,
  type NextBatchResult,
  type Session,
  type Status,
  type Tuner,
  type TunerFactory,
  type UpdatePerformance,
} from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import { fakeClock } from 'evenkeel/testing'
import pg from 'pg'
import { pino } from './pino-shape.js'
import { expectType } from './expect-type.js'

const pool = new pg.Pool()
const postgres = fromPg(pool)
const sqlite = fromBetterSqlite3<BetterSqlite3.Database>('app.db')

// The transaction type flows from the driver to the handlers.
const hashTokens = defineUpdate<pg.PoolClient, { lastId: string }>({
  name: 'hash_tokens',
  progress: { lastId: '0' },
  async batch({ tx, progress, batchSize, targetMs, signal, log, update, prepared }) {
    expectType<pg.PoolClient>()(tx)
    expectType<{ lastId: string }>()(progress)
    expectType<number>()(batchSize)
    expectType<number>()(targetMs)
    expectType<AbortSignal>()(signal)
    expectType<string>()(update.databaseName)
    expectType<undefined>()(prepared)
    log.info({ batchSize }, 'here')
    const { rows } = await tx.query<{ id: string }>('SELECT id FROM tokens WHERE id > $1 LIMIT $2', [
      progress.lastId,
      batchSize,
    ])
    return {
      items: rows.length,
      progress: { lastId: rows.at(-1)?.id ?? progress.lastId },
      done: rows.length < batchSize,
    }
  },
})

// One that needs no driver runs on any.
const anywhere = defineUpdate({
  name: 'anywhere',
  async batch({ query, progress }) {
    expectType<JsonObject>()(progress)
    const { rows } = await query<{ n: number }>('SELECT 1 AS n')
    expectType<{ n: number }[]>()(rows)
    return { items: 1, done: true }
  },
})

// As api.md writes it: without a type argument `tx` is unknown, with one it is the driver's own.
const lowercaseEmails = backfill({
  name: 'lowercase_emails',
  table: 'users',
  set: { email_lower: 'lower(email)' },
  where: 'email_lower IS NULL',
})

const oneShot = defineUpdate<pg.PoolClient>({
  name: 'one_shot',
  oneShot: true,
  async run({ session, tx }) {
    expectType<Session<pg.PoolClient>>()(session)
    expectType<pg.PoolClient>()(tx)
  },
})

const withPrepare = defineUpdate<pg.PoolClient, { page: number }, readonly string[]>({
  name: 'with_prepare',
  prepare: async ({ batchSize }) => Array.from({ length: batchSize }, String),
  async batch({ prepared }) {
    expectType<readonly string[]>()(prepared)
    return { items: prepared.length, done: true }
  },
})

const onSqlite = defineUpdate<BetterSqlite3.Database>({
  name: 'on_sqlite',
  async batch({ tx }) {
    tx.prepare('SELECT 1').all()
    return { items: 0, done: true }
  },
})

const updater = new BackgroundUpdater({
  database: postgres,
  updates: [lowercaseEmails, hashTokens, anywhere, oneShot, withPrepare],
  tuner: guardedTuner(),
  pace: fixedPace({ sleepMs: 500 }),
  logger: console,
  clock: fakeClock(),
})
new BackgroundUpdater({
  database: sqlite,
  updates: [onSqlite, anywhere],
  tuner: emaTuner(),
  pace: noPace(),
  logger: pino,
})
new BackgroundUpdater({ database: fromPg(pool) })

// @ts-expect-error An update for another driver's transactions.
new BackgroundUpdater({ database: sqlite, updates: [hashTokens] })
// @ts-expect-error A misspelt option.
new BackgroundUpdater({ database: postgres, udpates: [] })
// @ts-expect-error Progress of another type than it declares.
defineUpdate<pg.PoolClient, { lastId: string }>({
  name: 'wrong_progress',
  batch: async () => ({ items: 1, progress: { lastId: 5 } }),
})
// @ts-expect-error A result without items.
defineUpdate({
  name: 'no_items',
  batch: async () => ({ done: true }),
})

export async function usesEverything(): Promise<void> {
  await using disposed = updater
  await updater.install()
  await updater.enqueue(hashTokens)
  await updater.enqueue('anywhere', { ordering: 1, dependsOn: ['hash_tokens'], ifExists: 'ignore', by: 'me' })
  await postgres.transaction(async (tx) => {
    await updater.enqueue(oneShot, { tx })
  })
  expectType<NextBatchResult>()(await updater.runNextBatch())
  const { ran, complete } = await updater.runNextBatch()
  expectType<string | null>()(ran)
  expectType<boolean>()(complete)
  expectType<CompletionResult>()(await updater.runToCompletion({ names: ['a'], signal: AbortSignal.timeout(5) }))
  expectType<CompletionResult>()(await updater.runToCompletion({ names: [hashTokens] }))
  await updater.waitFor('users_email_lower_idx')
  await updater.waitFor(['a', hashTokens], { timeoutMs: 5, signal: AbortSignal.timeout(5) })
  expectType<boolean>()(await updater.hasCompleted('a', hashTokens))
  expectType<string | null>()(await updater.currentUpdate())
  const status = await updater.status()
  expectType<Status>()(status)
  const row = status.databases.main?.updates[0]
  expectType<'queued' | 'running' | 'paused' | 'failed' | undefined>()(row?.state)
  expectType<readonly [low: number, high: number] | null | undefined>()(row?.etaSeconds)
  expectType<UpdatePerformance | null>()(await updater.performance('a'))
  expectType<HistoryEntry[]>()(await updater.history({ limit: 5 }))
  expectType<-1>()(UpdaterStatus.ABORTED)
  await updater.pause('a', { by: 'me', reason: 'r' })
  await updater.disable({ by: 'me', reason: 'r' })
  updater.on('batch:success', ({ items, durationMs }) => {
    expectType<number>()(items)
    expectType<number>()(durationMs)
  })
  // @ts-expect-error There is no bare error event.
  updater.on('error', () => {})
  updater.registerController({
    defaultBatchSize: 20,
    minBatchSize: ({ updateName }) => updateName.length,
    onUpdate: async ({ updateName, databaseName, oneShot: isOneShot }) => {
      expectType<string>()(updateName)
      expectType<string>()(databaseName)
      expectType<boolean>()(isOneShot)
      return { targetMs: 100, async [Symbol.asyncDispose]() {} }
    },
  })
  const group = new BackgroundUpdaterGroup([
    updater,
    new BackgroundUpdater({ database: sqlite, databaseName: 'state' }),
  ])
  await group.start()
  void disposed
}

// A driver and a tuner of one's own.
export const ownTuner: TunerFactory = ({ defaultBatchSize }): Tuner => ({
  next: () => defaultBatchSize,
  record: ({ items, durationMs, overheadMs, cancelled }) => void [items, durationMs, overheadMs, cancelled],
  snapshot: () => null,
  explain: () => [],
})
export const ownDriver: Database<{ readonly id: number }> = {
  dialect: 'postgres',
  capabilities: { cancel: false, pinnedSession: true, concurrentTransactions: true },
  transaction: (fn) => fn({ id: 1 }),
  session: (fn) =>
    fn({ connection: { id: 1 }, query: async () => ({ rows: [], rowCount: 0 }), cancel: async () => {} }),
  query: async () => ({ rows: [], rowCount: 0 }),
  close: async () => {},
}
