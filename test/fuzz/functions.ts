import * as evenkeel from 'evenkeel'
import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
import { fromPg } from 'evenkeel/pg'
import * as testing from 'evenkeel/testing'

/** A function that is called with hostile arguments: what works, whole, so that every option is met. */
export interface Target {
  /** Made anew for every call. */
  readonly valid: () => readonly unknown[]
  readonly call: (...args: never[]) => unknown
}

const common = () => ({
  name: 'update',
  dependsOn: ['other'],
  ordering: 1,
  on: 'sqlite',
  targetMs: 10,
  defaultBatchSize: 5,
  minBatchSize: 1,
  maxBatchSize: 10,
  tuner: evenkeel.emaTuner(),
  deadline: 4,
  maxAttempts: 3,
})

const table = () => ({ schema: 'main', name: 'items' })
const walk = () => ({ ...common(), table: table(), key: ['id'], where: 'TRUE' })

function notOpened() {
  return new evenkeel.EvenkeelError('NOT_OPENED', 'nothing is opened here', { hint: 'This is a test.' })
}

const database = () => ({
  dialect: 'sqlite',
  capabilities: { cancel: false, pinnedSession: true, concurrentTransactions: false },
  transaction: () => Promise.reject(notOpened()),
  session: () => Promise.reject(notOpened()),
  query: () => Promise.reject(notOpened()),
  close: () => Promise.resolve(),
})

const updaterOptions = () => ({
  database: database(),
  updates: [evenkeel.backfill({ name: 'update', table: 'items', set: { a: '1' } })],
  databaseName: 'main',
  targetMs: 10,
  defaultBatchSize: 5,
  minBatchSize: 1,
  maxBatchSize: 10,
  tuner: evenkeel.guardedTuner(),
  deadline: 4,
  pace: evenkeel.noPace(),
  maxAttempts: 3,
  onFailure: 'isolate',
  leaseMs: 1_000,
  pollMs: 10,
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  clock: testing.fakeClock(),
  owner: 'host:1:aa',
})

function nothing(): void {}

const pool = () => ({
  connect: () => Promise.reject(notOpened()),
  query: () => Promise.reject(notOpened()),
  on: nothing,
  listenerCount: () => 0,
})

/** Every function that the package exports, but for its classes of errors. */
export const TARGETS: Readonly<Record<string, Target>> = {
  defineUpdate: {
    valid: () => [
      {
        ...common(),
        progress: { step: 0 },
        report: () => ({ fraction: 0 }),
        prepare: async () => 1,
        batch: async () => ({ items: 1 }),
      },
    ],
    call: evenkeel.defineUpdate,
  },
  'defineUpdate, one-shot': {
    valid: () => [{ ...common(), oneShot: true, isDone: async () => true, run: async () => {} }],
    call: evenkeel.defineUpdate,
  },
  backfill: {
    valid: () => [{ ...walk(), set: { a: 'lower(b)' }, follow: false, verify: 'a IS NULL', maxVerifyPasses: 2 }],
    call: evenkeel.backfill,
  },
  rowBackfill: {
    valid: () => [{ ...walk(), columns: ['a', 'b'], map: () => ({ a: 1 }), maxQuarantined: 3 }],
    call: evenkeel.rowBackfill,
  },
  deleteRows: {
    valid: () => [{ ...walk(), keepIn: table(), maxDeletes: 5 }],
    call: evenkeel.deleteRows,
  },
  createIndex: {
    valid: () => [
      {
        ...common(),
        index: 'items_a_idx',
        table: table(),
        columns: [
          'a',
          { expression: 'lower(b)', order: 'desc', nulls: 'first', opclass: 'text_ops', collate: { name: 'C' } },
        ],
        unique: true,
        where: 'a > 0',
        using: 'btree',
        include: ['c'],
        nullsNotDistinct: true,
        replaces: 'old_idx',
        analyze: true,
      },
    ],
    call: evenkeel.createIndex,
  },
  foreignKey: {
    valid: () => [
      { columns: { own: 'parent' }, references: table(), onDelete: 'cascade', onUpdate: 'restrict', deferrable: true },
    ],
    call: evenkeel.foreignKey,
  },
  notNull: { valid: () => ['a'], call: evenkeel.notNull },
  check: { valid: () => ['a > 0', { columns: ['a'] }], call: evenkeel.check },
  unique: { valid: () => [['a', 'b']], call: evenkeel.unique },
  addConstraint: {
    valid: () => [
      database(),
      {
        constraintName: 'items_a_check',
        table: table(),
        constraint: { kind: 'check', expression: 'a > 0', columns: ['a'] },
        update: 'update',
        ordering: 1,
        dependsOn: ['other'],
        schema: 'main',
        by: 'anna',
        onViolation: 'delete',
        maxViolations: 3,
        keepIn: table(),
        newTableSql: 'CREATE TABLE items (a)',
        signal: new AbortController().signal,
        clock: testing.fakeClock({ autoAdvance: true }),
        random: () => 0,
      },
    ],
    call: evenkeel.addConstraint,
  },
  validateConstraint: {
    valid: () => [{ ...common(), table: table(), constraintName: 'items_a_check', constraint: evenkeel.notNull('a') }],
    call: evenkeel.validateConstraint,
  },
  validateConstraintAndRepair: {
    valid: () => [
      {
        ...common(),
        table: table(),
        constraintName: 'items_a_check',
        constraint: { kind: 'check', expression: 'a > 0', columns: ['a'] },
        key: ['id'],
        onViolation: 'delete',
        maxViolations: 3,
        keepIn: table(),
        allowCascade: false,
      },
    ],
    call: evenkeel.validateConstraintAndRepair,
  },
  setNotNull: { valid: () => [{ ...common(), table: table(), column: 'a' }], call: evenkeel.setNotNull },
  guardedTuner: {
    valid: () => [
      {
        aim: 0.9,
        slowStartGrowth: 3,
        growth: 2,
        guard: 2,
        gain: 0.1,
        changeDrift: 1,
        changeThreshold: 5,
        decisionsKept: 3,
      },
    ],
    call: evenkeel.guardedTuner,
  },
  emaTuner: { valid: () => [], call: evenkeel.emaTuner },
  fixedPace: { valid: () => [{ sleepMs: 1 }], call: evenkeel.fixedPace },
  noPace: { valid: () => [], call: evenkeel.noPace },
  adaptivePace: {
    valid: () => [{ preset: 'gentle', maxDuty: 0.5, minDuty: 0.1 }],
    call: evenkeel.adaptivePace,
  },
  signal: {
    valid: () => [{ name: 'p99', sample: () => 1, kind: 'gauge', intervalMs: 10, timeoutMs: 10, threshold: 1 }],
    call: evenkeel.signal,
  },
  postgresSignals: {
    valid: () => [
      {
        replicationLagMs: 5,
        replicationLagBytes: 5,
        ignoredReplicas: ['a'],
        slotBytes: 4,
        archiverSegments: 3,
        transactionMs: 3,
        off: [],
      },
    ],
    call: evenkeel.postgresSignals,
  },
  sqliteSignals: { valid: () => [{ busyShare: 0.5, walBytes: 5, off: [] }], call: evenkeel.sqliteSignals },
  defineConfig: {
    valid: () => [
      {
        databases: {
          main: {
            database: 'sqlite:app.db',
            updates: [evenkeel.backfill({ name: 'u', table: 't', set: { a: '1' } })],
            targetMs: 5,
          },
          state: { database: 'postgres://localhost/state', schema: 'ops', onFailure: 'abort' },
        },
      },
    ],
    call: evenkeel.defineConfig,
  },
  installSql: { valid: () => ['postgres', { schema: 'ops' }], call: evenkeel.installSql },
  BackgroundUpdater: {
    valid: () => [updaterOptions()],
    call: (options: never) => new evenkeel.BackgroundUpdater(options),
  },
  BackgroundUpdaterGroup: {
    valid: () => [[new evenkeel.BackgroundUpdater(updaterOptions() as never)]],
    call: (updaters: never) => new evenkeel.BackgroundUpdaterGroup(updaters),
  },
  fromPg: {
    valid: () => [pool(), { isolationLevel: 'read committed', transactionPooler: false }],
    call: fromPg,
  },
  fromBetterSqlite3: {
    valid: () => [{ ...sqliteHandle() }, { busyTimeoutMs: 10 }],
    call: fromBetterSqlite3,
  },
  fakeClock: { valid: () => [{ startMs: 1, autoAdvance: true }], call: testing.fakeClock },
  databaseConformance: { valid: () => [() => database()], call: testing.databaseConformance },
}

// A handle that opens no file, whatever is put into its place.
function sqliteHandle() {
  return { inTransaction: false, prepare: nothing, exec: nothing, pragma: nothing, close: nothing }
}
