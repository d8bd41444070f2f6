import type { Clock } from './clock.js'
import { LONGEST_TIMER_MS, systemClock } from './clock.js'
import type { Database } from './databases/database.js'
import { identifierProblem } from './databases/identifier.js'
import { ConfigurationError } from './errors.js'
import { harmless, stderrLogger, type Logger } from './observe/logger.js'
import { describe, durationProblems, unknownOptionProblems } from './options.js'
import type { Pace } from './pacing/pace.js'
import type { TunerFactory } from './pacing/tuner.js'
import { guardedTuner } from './pacing/tuner-guarded.js'
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
  /** When the next batch may start. Default `fixedPace({ sleepMs: 1000 })`. */
  readonly pace?: Pace
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
  readonly pace: Pace | undefined
  readonly maxAttempts: number
  readonly onFailure: 'isolate' | 'abort'
  readonly leaseMs: number
  readonly pollMs: number
  readonly logger: Logger
  readonly clock: Clock
  readonly owner: string | undefined
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
  'pace',
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
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError('BackgroundUpdater', ['options must be an object'])
  const problems = problemsOf(options)
  if (problems.length > 0) throw new ConfigurationError('BackgroundUpdater', problems)
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
    pace: options.pace,
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
    ...methodProblems('pace', options.pace, ['beforeBatch']),
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

function timerProblems(name: string, value: number | undefined): string[] {
  if (value !== undefined && value > LONGEST_TIMER_MS && Number.isFinite(value)) {
    return [`${name} must be at most ${LONGEST_TIMER_MS} ms, the longest that a timer takes, not ${value}`]
  }
  return durationProblems(name, value)
}

function databaseProblems(database: unknown): string[] {
  const methods = ['transaction', 'session', 'query', 'close']
  const problems = methodProblems('database', database ?? null, methods)
  return problems.length === 0 ? [] : ['database must be what fromPg, fromBetterSqlite3 or another adapter returns']
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

function methodProblems(option: string, value: unknown, methods: readonly string[]): string[] {
  if (value === undefined) return []
  const missing = methods.filter((method) => typeof (value as Record<string, unknown> | null)?.[method] !== 'function')
  return missing.length === 0 ? [] : [`${option} has no ${missing.join('(), ')}()`]
}

/** The sizes and the target of one update, before a controller has its say. */
export function settingsOf(settings: ResolvedSettings, own: UpdateSettings) {
  const minBatchSize = own.minBatchSize ?? Math.min(settings.minBatchSize, own.maxBatchSize ?? Infinity)
  return {
    targetMs: own.targetMs ?? settings.targetMs,
    defaultBatchSize: own.defaultBatchSize ?? settings.defaultBatchSize,
    minBatchSize,
    maxBatchSize: Math.max(own.maxBatchSize ?? settings.maxBatchSize, minBatchSize),
    tuner: own.tuner ?? settings.tuner,
    deadline: own.deadline ?? settings.deadline,
    maxAttempts: own.maxAttempts ?? settings.maxAttempts,
  }
}
