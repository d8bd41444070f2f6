import type { Clock } from './clock.js'
import { LONGEST_TIMER_MS, systemClock } from './clock.js'
import type { Database } from './databases/database.js'
import { identifierProblem } from './databases/identifier.js'
import { ConfigurationError } from './errors.js'
import { harmless, stderrLogger, type Logger } from './observe/logger.js'
import {
  databaseProblems,
  describe,
  durationProblems,
  lanesProblems,
  ONE_LANE_ON_SQLITE,
  methodProblems,
  problemsFound,
  refuseProblems,
  requireReadable,
  unknownOptionProblems,
} from './options.js'
import { budgetProblems, type Budgets } from './pacing/budgets/budgets.js'
import type { Pace } from './pacing/pace.js'
import type { TunerFactory } from './pacing/tuner.js'
import { guardedTuner } from './pacing/tuner-guarded.js'
import { windowProblems, type Windows } from './pacing/windows/windows.js'
import { signalsProblems, type SignalsOption } from './signals/option.js'
import { settingsProblems } from './updates/define.js'
import type { UpdateDefinition, UpdateSettings } from './updates/definition.js'

/** Options of a `BackgroundUpdater`. */
export interface UpdaterOptions<Tx = unknown> {
  readonly database: Database<Tx>
  /** The updates that this process has handlers for. Default none: it can enqueue, wait and tell the status. */
  readonly updates?: readonly UpdateDefinition<Tx, never>[]
  /** The database's name in status, metrics and logs. Default `main`. */
  readonly databaseName?: string
  /** PostgreSQL schema of our tables. Default: the first of the search path. */
  readonly schema?: string
  /** How long a batch should take, in ms. Default 100, on SQLite 25. */
  readonly targetMs?: number
  /** Size of an update's first batch, in items. Default 100. */
  readonly defaultBatchSize?: number
  /** In items. Default 1. */
  readonly minBatchSize?: number
  /** In items. Default 100 000. */
  readonly maxBatchSize?: number
  /** Default `guardedTuner()`. */
  readonly tuner?: TunerFactory
  /** Cancels a batch that takes longer than this many times its target. At least 1. Default: no deadline. */
  readonly deadline?: number
  /** A statement of a batch is cancelled by the server after this time, in ms; 0 is no limit. Default 60 000. PostgreSQL. */
  readonly statementTimeoutMs?: number
  /** How long a batch waits for somebody else's lock, holding its own, in ms; 0 is no limit. Default 1 000. PostgreSQL. */
  readonly lockTimeoutMs?: number
  /** A batch that leaves its transaction idle this long loses it, in ms; 0 is no limit. Default 60 000. PostgreSQL. */
  readonly idleInTransactionTimeoutMs?: number
  /**
   * Batches are committed without waiting for the disk: a crash of the server or machine loses work and progress together.
   * Default true. The last batch of an update waits. On SQLite in WAL mode only.
   */
  readonly asynchronousCommit?: boolean
  /** When the next batch may start. Default `adaptivePace()`. */
  readonly pace?: Pace
  /** What is measured for the pace. Default `auto`: all that is ready-made for the database. */
  readonly signals?: SignalsOption
  /** What the work may use up, with any pace. Default: all it likes. */
  readonly budgets?: Budgets
  /** When batches may start, with any pace, as `'Mon-Fri 22:00-06:00 Europe/Berlin'`. Default: always. */
  readonly windows?: Windows
  /**
   * Into how many ranges a big walk is split, and how many of them this process works on at the same time; 1 to 64.
   * Default 1. An update's own `lanes` wins. PostgreSQL only; the pool needs two connections more than that.
   */
  readonly lanes?: number
  /** Failures in a row before an update is failed. Default 5. */
  readonly maxAttempts?: number
  /** `isolate` fails the one update and goes on; `abort` stops the updater. Default `isolate`. */
  readonly onFailure?: 'isolate' | 'abort'
  /** How long a dead runner's update stays its own, in ms. Default 15 000. */
  readonly leaseMs?: number
  /** How often an idle runner looks at the queue, in ms. Default 1 000. */
  readonly pollMs?: number
  /** pino's shape. Default: warnings and errors on stderr. */
  readonly logger?: Logger
  /** Time for pauses, back-off and measuring. Default: the monotonic system clock. */
  readonly clock?: Clock
  /** This runner's name in leases, unique over all processes. Default `host:pid:random`. */
  readonly owner?: string
}

/** The options with their defaults. */
export interface ResolvedSettings {
  readonly databaseName: string
  readonly schema: string | undefined
  readonly targetMs: number
  readonly defaultBatchSize: number
  readonly minBatchSize: number
  readonly maxBatchSize: number
  readonly tuner: TunerFactory
  readonly deadline: number | undefined
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  readonly asynchronousCommit: boolean
  readonly pace: Pace | undefined
  readonly signals: SignalsOption
  readonly budgets: Budgets
  readonly windows: Windows
  readonly lanes: number
  readonly maxAttempts: number
  readonly onFailure: 'isolate' | 'abort'
  readonly leaseMs: number
  readonly pollMs: number
  readonly logger: Logger
  readonly clock: Clock
  readonly owner: string | undefined
  readonly changed?: ChangedSettings
}

const OPTIONS = [
  'database',
  'updates',
  'databaseName',
  'schema',
  'targetMs',
  'defaultBatchSize',
  'minBatchSize',
  'maxBatchSize',
  'tuner',
  'deadline',
  'statementTimeoutMs',
  'lockTimeoutMs',
  'idleInTransactionTimeoutMs',
  'asynchronousCommit',
  'pace',
  'signals',
  'budgets',
  'windows',
  'lanes',
  'maxAttempts',
  'onFailure',
  'leaseMs',
  'pollMs',
  'logger',
  'clock',
  'owner',
]

const DEFAULT_BATCH_SIZE = 100
const MAX_BATCH_SIZE = 100_000

/**
 * Checks the options whole: every problem in one error.
 *
 * @throws ConfigurationError
 */
export function resolveSettings<Tx>(options: UpdaterOptions<Tx>): ResolvedSettings {
  requireReadable('BackgroundUpdater', options)
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError('BackgroundUpdater', ['options must be an object'])
  const problems = problemsFound(() => problemsOf(options))
  refuseProblems('BackgroundUpdater', problems)
  const minBatchSize = options.minBatchSize ?? 1
  const maxBatchSize = options.maxBatchSize ?? Math.max(MAX_BATCH_SIZE, minBatchSize)
  return {
    databaseName: options.databaseName ?? 'main',
    schema: options.schema,
    targetMs: options.targetMs ?? (options.database.dialect === 'sqlite' ? 25 : 100),
    defaultBatchSize: options.defaultBatchSize ?? DEFAULT_BATCH_SIZE,
    minBatchSize,
    maxBatchSize,
    tuner: options.tuner ?? guardedTuner(),
    deadline: options.deadline,
    statementTimeoutMs: options.statementTimeoutMs ?? 60_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 1_000,
    idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs ?? 60_000,
    asynchronousCommit: options.asynchronousCommit ?? true,
    pace: options.pace,
    signals: options.signals ?? 'auto',
    budgets: options.budgets ?? {},
    windows: options.windows ?? [],
    lanes: options.lanes ?? 1,
    maxAttempts: options.maxAttempts ?? 5,
    onFailure: options.onFailure ?? 'isolate',
    leaseMs: options.leaseMs ?? 15_000,
    pollMs: options.pollMs ?? 1_000,
    logger: harmless(options.logger ?? stderrLogger),
    clock: options.clock ?? systemClock,
    owner: options.owner,
  }
}

function problemsOf<Tx>(options: UpdaterOptions<Tx>): string[] {
  const problems = [
    ...unknownOptionProblems(options, OPTIONS),
    ...databaseProblems(options.database),
    ...updatesProblems(options.updates),
    ...settingsProblems(options),
    ...timerProblems('leaseMs', options.leaseMs),
    ...timerProblems('pollMs', options.pollMs),
    ...nameProblems('databaseName', options.databaseName),
    ...nameProblems('owner', options.owner),
    ...methodProblems('logger', options.logger, ['debug', 'info', 'warn', 'error']),
    ...methodProblems('clock', options.clock, ['nowMs', 'sleep']),
    ...lanesProblems(options.lanes),
    ...oneLaneProblems(options),
    ...methodProblems('pace', options.pace, ['beforeBatch']),
    ...signalsProblems(options.signals),
    ...budgetProblems(options.budgets, options.database?.dialect),
    ...windowProblems(options.windows),
  ]
  if (options.schema !== undefined) {
    const problem = identifierProblem(options.schema, options.database?.dialect)
    if (problem !== null) problems.push(`schema ${describe(options.schema)}: ${problem}`)
    else if (options.database?.dialect === 'sqlite') problems.push('schema is for PostgreSQL; a SQLite file has none')
  }
  if (options.onFailure !== undefined && options.onFailure !== 'isolate' && options.onFailure !== 'abort') {
    problems.push(`onFailure must be 'isolate' or 'abort', not ${describe(options.onFailure)}`)
  }
  return problems
}

function oneLaneProblems<Tx>({ database, lanes = 1, updates }: UpdaterOptions<Tx>): string[] {
  if (database?.dialect !== 'sqlite') return []
  const why = ONE_LANE_ON_SQLITE
  const problems = lanes > 1 ? [`lanes must be 1, not ${lanes}: ${why}`] : []
  for (const update of Array.isArray(updates) ? (updates as readonly Partial<UpdateDefinition>[]) : []) {
    const wanted = update !== null && update?.oneShot === false ? (update.lanes?.wanted ?? 1) : 1
    if (wanted > 1 && update.on !== 'postgres') {
      problems.push(`update "${update.name}" has lanes: ${wanted}: ${why}; leave it out, or set on: 'postgres'`)
    }
  }
  return problems
}

function timerProblems(name: string, value: number | undefined): string[] {
  if (typeof value === 'number' && value > LONGEST_TIMER_MS && Number.isFinite(value)) {
    return [`${name} must be at most ${LONGEST_TIMER_MS} ms, the longest that a timer takes, not ${value}`]
  }
  return durationProblems(name, value)
}

function updatesProblems(updates: unknown): string[] {
  if (updates === undefined) return []
  if (!Array.isArray(updates)) return [`updates must be an array of definitions, not ${describe(updates)}`]
  const problems: string[] = []
  const names = new Set<string>()
  updates.forEach((update: Partial<UpdateDefinition> | null, index) => {
    const handler = update?.oneShot === true ? update.run : (update as { batch?: unknown } | null)?.batch
    if (typeof update?.name !== 'string' || typeof handler !== 'function') {
      problems.push(
        `updates[${index}] must be what defineUpdate or a ready-made update returns, not ${describe(update)}`,
      )
      return
    }
    if (names.has(update.name)) problems.push(`two updates are named "${update.name}"`)
    names.add(update.name)
  })
  return problems
}

function nameProblems(option: string, value: unknown): string[] {
  if (value === undefined || (typeof value === 'string' && value !== '' && !value.includes('\0'))) return []
  return [`${option} must be a name, not ${describe(value)}`]
}

/** What of the settings was changed while updates run; null asks for what is for all of them. */
export interface ChangedSettings {
  of(updateName: string | null): { readonly targetMs?: number; readonly maxBatchSize?: number; readonly lanes?: number }
}

/**
 * The sizes and the target of one update, before a controller has its say: what was changed for it while it runs, else
 * what its definition says, else what was changed for all, else the updater's option.
 */
export function settingsOf(
  options: ResolvedSettings,
  definition: { readonly name: string; readonly settings: UpdateSettings },
) {
  const settings = { ...options, ...options.changed?.of(null) }
  const own = { ...definition.settings, ...options.changed?.of(definition.name) }
  const minBatchSize = own.minBatchSize ?? Math.min(settings.minBatchSize, own.maxBatchSize ?? Infinity)
  return {
    targetMs: own.targetMs ?? settings.targetMs,
    defaultBatchSize: own.defaultBatchSize ?? settings.defaultBatchSize,
    minBatchSize,
    maxBatchSize: Math.max(own.maxBatchSize ?? settings.maxBatchSize, minBatchSize),
    tuner: own.tuner ?? settings.tuner,
    deadline: own.deadline ?? settings.deadline,
    statementTimeoutMs: own.statementTimeoutMs ?? settings.statementTimeoutMs,
    lockTimeoutMs: own.lockTimeoutMs ?? settings.lockTimeoutMs,
    idleInTransactionTimeoutMs: own.idleInTransactionTimeoutMs ?? settings.idleInTransactionTimeoutMs,
    asynchronousCommit: own.asynchronousCommit ?? settings.asynchronousCommit,
    maxAttempts: own.maxAttempts ?? settings.maxAttempts,
  }
}

/** How many lanes an update is to have, by the same order of precedence. */
export function lanesWanted(options: ResolvedSettings, updateName: string, ofDefinition: number | undefined): number {
  const { changed } = options
  return changed?.of(updateName).lanes ?? ofDefinition ?? changed?.of(null).lanes ?? options.lanes
}
