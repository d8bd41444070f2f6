import { describe, refuseProblems, requireReadable, unknownOptionProblems } from '../options.js'
import { activeBackends } from './postgres/active-backends.js'
import { archiver } from './postgres/archiver.js'
import { databaseGrowth } from './postgres/database-growth.js'
import { foreground } from './postgres/foreground.js'
import { lockWaiters } from './postgres/lock-waiters.js'
import { longTransaction } from './postgres/long-transactions.js'
import { maintenance } from './postgres/maintenance.js'
import { replicationLag } from './postgres/replication-lag.js'
import { replicationSlots } from './postgres/replication-slots.js'
import { walBytes } from './postgres/wal-bytes.js'
import { walRate } from './postgres/wal-rate.js'
import { offProblems, thresholdProblems, without, type SignalSet } from './signal-set.js'

/** Limits of the signals of PostgreSQL. Each is the value at which no batch may start. */
export interface PostgresSignalsOptions {
  /** How far a replica may be behind, in ms. Default 5 000. */
  readonly replicationLagMs?: number
  /** How far a replica may be behind, in bytes of WAL. Default 256 MB. */
  readonly replicationLagBytes?: number
  /** Replicas that may lag, by their `application_name`. Default none. */
  readonly ignoredReplicas?: readonly string[]
  /** How much WAL a replication slot may retain, in bytes. Default 256 MB. */
  readonly slotBytes?: number
  /** How many segments of WAL may wait for the archiver. Default 42. */
  readonly archiverSegments?: number
  /** How long somebody else's transaction may be open, in ms. Default 600 000, ten minutes. */
  readonly transactionMs?: number
  /** How many sessions may wait for locks of ours. Default 3. */
  readonly lockWaiters?: number
  /** Commits per second of others from which on somebody is there. Default 2. */
  readonly foregroundTps?: number
  /** Sessions at work for each core. Default 1. */
  readonly activePerCore?: number
  /** Cores of the server. Default: those of this machine if it is the server's own, else a guess that never stops work. */
  readonly cores?: number
  /** Share of the WAL rate that the server's checkpoints bear. Default 1. */
  readonly walRate?: number
  /** How fast the database may grow, in bytes an hour. Default: any. */
  readonly databaseGrowth?: number
  /** Names of signals to leave out, as `'wal rate'`. Default none. */
  readonly off?: readonly string[]
}

const NUMBERS = [
  'replicationLagMs',
  'replicationLagBytes',
  'slotBytes',
  'archiverSegments',
  'transactionMs',
  'lockWaiters',
  'foregroundTps',
  'activePerCore',
  'cores',
  'walRate',
  'databaseGrowth',
] as const

const MEGABYTE = 1_048_576

/**
 * The signals of PostgreSQL with limits of your own, for the option `signals`. What the role may not see is `unknown`
 * and blocks nothing: grant it `pg_monitor`, or at least `pg_read_all_stats`.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { BackgroundUpdater, postgresSignals, type Database } from 'evenkeel'
 *
 * export const updaterOf = (database: Database) =>
 *   new BackgroundUpdater({ database, signals: [postgresSignals({ replicationLagMs: 2_000, off: ['archiver'] })] })
 */
export function postgresSignals(options: PostgresSignalsOptions = {}): SignalSet {
  requireReadable('postgresSignals', options)
  const problems = postgresProblems(options)
  // The names of the signals are needed in any case, to check `off`.
  const usable: PostgresSignalsOptions = problems.length > 0 ? {} : options
  const { replicationLagMs = 5_000, replicationLagBytes = 256 * MEGABYTE, ignoredReplicas = [] } = usable
  const signals = [
    replicationLag({ lagMs: replicationLagMs, lagBytes: replicationLagBytes, ignored: ignoredReplicas }),
    replicationSlots(usable.slotBytes ?? 256 * MEGABYTE),
    archiver(usable.archiverSegments ?? 42),
    longTransaction(usable.transactionMs ?? 600_000),
    lockWaiters(usable.lockWaiters ?? 3),
    foreground(usable.foregroundTps ?? 2),
    activeBackends(usable.activePerCore ?? 1, usable.cores),
    maintenance(),
    walRate(usable.walRate ?? 1),
    walBytes(),
    ...(usable.databaseGrowth === undefined ? [] : [databaseGrowth(usable.databaseGrowth)]),
  ]
  problems.push(...offProblems((options as PostgresSignalsOptions | null)?.off, signals))
  refuseProblems('postgresSignals', problems)
  return { dialect: 'postgres', signals: without(signals, options.off) }
}

function postgresProblems(options: PostgresSignalsOptions): string[] {
  if (typeof options !== 'object' || options === null) return [`options must be an object, not ${describe(options)}`]
  const { ignoredReplicas = [] } = options
  const problems = [
    ...unknownOptionProblems(options, [...NUMBERS, 'ignoredReplicas', 'off']),
    ...NUMBERS.flatMap((name) => thresholdProblems(name, options[name])),
  ]
  if (!Array.isArray(ignoredReplicas) || ignoredReplicas.some((name) => typeof name !== 'string')) {
    problems.push(`ignoredReplicas must be an array of names, not ${describe(ignoredReplicas)}`)
  }
  return problems
}
