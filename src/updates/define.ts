import type { Dialect } from '../databases/database.js'
import { ConfigurationError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { describe, durationProblems, requireReadable, unknownOptionProblems, wholeNumberProblems } from '../options.js'
import { updateNameProblems } from '../queue/update-name.js'
import type {
  BatchContext,
  BatchedUpdate,
  BatchResult,
  CommonOptions,
  OneShotContext,
  OneShotResult,
  OneShotUpdate,
  PrepareContext,
  ProgressReport,
  ProgressSchema,
  UpdateSettings,
} from './definition.js'
import { fingerprintOf } from './fingerprint.js'

interface DefineOptions<Progress> extends CommonOptions {
  /** First progress when it is enqueued without one. Default `{}`. */
  readonly progress?: Progress
  /** A Standard Schema that the saved progress is held against before every batch. */
  readonly schema?: ProgressSchema<Progress>
  /** How far it is, from its progress, for status and ETA. Default: unknown. */
  readonly report?: (progress: Progress) => ProgressReport
}

export interface BatchedOptions<Tx, Progress, Prepared> extends DefineOptions<Progress> {
  readonly oneShot?: false
  /** Runs before the transaction opens; its result is handed to `batch` as `prepared`. */
  readonly prepare?: (context: PrepareContext<Progress>) => Promise<Prepared>
  /** One batch: one transaction, committed together with the progress it returns. */
  readonly batch: (context: BatchContext<Tx, Progress, Prepared>) => Promise<BatchResult<Progress>>
}

export interface OneShotOptions<Tx, Progress> extends DefineOptions<Progress> {
  readonly oneShot: true
  /** Whether the result exists already: asked before `run` and after it. Default: unknown, `run` is trusted. */
  readonly isDone?: (context: OneShotContext<Tx, Progress>) => Promise<boolean>
  /** At-least-once: it may have run before, in part or whole. */
  readonly run: (context: OneShotContext<Tx, Progress>) => Promise<OneShotResult<Progress> | void>
}

/**
 * Defines an update with a handler of your own. `Tx` is the driver's transaction type, `Progress` what is kept between
 * batches.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import type { PoolClient } from 'pg'
 * import { defineUpdate } from 'evenkeel'
 *
 * export const purge = defineUpdate<PoolClient, { purged: number }>({
 *   name: 'purge_sessions',
 *   progress: { purged: 0 },
 *   async batch({ tx, batchSize, progress }) {
 *     const { rowCount } = await tx.query(
 *       'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expired LIMIT $1)',
 *       [batchSize],
 *     )
 *     const items = rowCount ?? 0
 *     return { items, progress: { purged: progress.purged + items }, done: items < batchSize }
 *   },
 * })
 */
export function defineUpdate<Tx = unknown, Progress = JsonObject>(
  options: OneShotOptions<Tx, Progress>,
): OneShotUpdate<Tx, Progress>
export function defineUpdate<Tx = unknown, Progress = JsonObject, Prepared = undefined>(
  options: BatchedOptions<Tx, Progress, Prepared>,
): BatchedUpdate<Tx, Progress>
export function defineUpdate<Tx, Progress, Prepared>(
  options: OneShotOptions<Tx, Progress> | BatchedOptions<Tx, Progress, Prepared>,
): OneShotUpdate<Tx, Progress> | BatchedUpdate<Tx, Progress> {
  requireReadable('defineUpdate', options)
  const handlers = options?.oneShot === true ? ONE_SHOT_OPTIONS : BATCHED_OPTIONS
  const common = commonDefinition(
    'custom',
    options,
    ['progress', 'schema', 'report', 'oneShot', ...handlers],
    [...handlerProblems(options as unknown as Record<string, unknown>, options?.oneShot === true)],
  )
  const shared = {
    ...common,
    initialProgress: (options.progress ?? {}) as JsonObject,
    schema: options.schema,
    report: options.report as ((progress: JsonObject) => ProgressReport) | undefined,
  }
  if (options.oneShot === true) return { ...shared, oneShot: true, run: options.run, isDone: options.isDone }
  return {
    ...shared,
    oneShot: false,
    prepare: options.prepare,
    batch: options.batch,
  }
}

const ONE_SHOT_OPTIONS = ['run', 'isDone']
const BATCHED_OPTIONS = ['batch', 'prepare']

function handlerProblems(options: Record<string, unknown>, oneShot: boolean): string[] {
  const problems: string[] = []
  if (options?.oneShot !== undefined && typeof options.oneShot !== 'boolean') {
    problems.push(`oneShot must be true or false, not ${describe(options.oneShot)}`)
  }
  const required = oneShot ? 'run' : 'batch'
  if (typeof options?.[required] !== 'function') problems.push(`${required} must be a function`)
  for (const name of ['prepare', 'isDone', 'report'] as const) {
    const value = options?.[name]
    if (value !== undefined && typeof value !== 'function') problems.push(`${name} must be a function`)
  }
  const progress = options?.progress
  if (progress !== undefined && (typeof progress !== 'object' || progress === null || Array.isArray(progress))) {
    problems.push('progress must be a JSON object')
  }
  return problems
}

const COMMON_OPTIONS = [
  'version',
  'name',
  'dependsOn',
  'ordering',
  'on',
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
  'maxAttempts',
]

/** What every kind of update has in common, checked whole: all problems in one error. */
export interface CommonDefinition {
  readonly name: string
  readonly kind: string
  readonly dependsOn: readonly string[]
  readonly ordering: number
  readonly settings: UpdateSettings
  readonly on?: Dialect
  readonly dialects: readonly Dialect[]
  readonly fingerprint: string
}

// How far it may go, how its progress is checked and shown, and where it starts: none of it changes what is done to a row.
const NOT_THE_WORK = [
  'progress',
  'schema',
  'report',
  'lanes',
  'maxDeletes',
  'maxViolations',
  'maxQuarantined',
  'maxVerifyPasses',
]

function workOf(options: object, ownOptions: readonly string[]): object {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => ownOptions.includes(name) && !NOT_THE_WORK.includes(name)),
  )
}

function versionProblems(version: unknown): string[] {
  if (version === undefined || (typeof version === 'string' && version !== '') || Number.isFinite(version)) return []
  return [`version must be a text that isn't empty or a number, not ${describe(version)}`]
}

/**
 * The shared part of a definition. `ownOptions` are the option names that the kind adds, `ownProblems` what it found
 * wrong in them.
 */
export function commonDefinition(
  kind: string,
  options: CommonOptions,
  ownOptions: readonly string[],
  ownProblems: readonly string[],
  dialects: readonly Dialect[] = ['postgres', 'sqlite'],
): CommonDefinition {
  const subject = kind === 'custom' ? 'defineUpdate' : kind
  if (typeof options !== 'object' || options === null)
    throw new ConfigurationError(subject, ['options must be an object'])
  const dependsOn = typeof options.dependsOn === 'string' ? [options.dependsOn] : (options.dependsOn ?? [])
  const problems = [
    ...unknownOptionProblems(options, [...COMMON_OPTIONS, ...ownOptions]),
    ...versionProblems(options.version),
    ...updateNameProblems('name', options.name),
    ...(Array.isArray(dependsOn)
      ? dependsOn.flatMap((name) => updateNameProblems('dependsOn', name))
      : ['dependsOn must be a name or an array of names']),
    ...wholeNumberProblems('ordering', options.ordering, -(2 ** 31)),
    ...settingsProblems(options),
    ...ownProblems,
  ]
  if (options.on !== undefined && options.on !== 'postgres' && options.on !== 'sqlite') {
    problems.push(`on must be 'postgres' or 'sqlite', not ${describe(options.on)}`)
  }
  if (problems.length > 0) {
    const label = typeof options.name === 'string' && options.name !== '' ? `${subject} "${options.name}"` : subject
    throw new ConfigurationError(label, problems)
  }
  return {
    name: options.name,
    kind,
    dependsOn,
    ordering: options.ordering ?? 0,
    on: options.on,
    dialects,
    fingerprint: fingerprintOf(kind, workOf(options, ownOptions), options.version),
    settings: {
      targetMs: options.targetMs,
      defaultBatchSize: options.defaultBatchSize,
      minBatchSize: options.minBatchSize,
      maxBatchSize: options.maxBatchSize,
      tuner: options.tuner,
      deadline: options.deadline,
      statementTimeoutMs: options.statementTimeoutMs,
      lockTimeoutMs: options.lockTimeoutMs,
      idleInTransactionTimeoutMs: options.idleInTransactionTimeoutMs,
      asynchronousCommit: options.asynchronousCommit,
      maxAttempts: options.maxAttempts,
    },
  }
}

/** Problems of the settings that an updater and an update share. */
export function settingsProblems(settings: UpdateSettings): string[] {
  const problems = [
    ...durationProblems('targetMs', settings.targetMs),
    ...wholeNumberProblems('defaultBatchSize', settings.defaultBatchSize),
    ...wholeNumberProblems('minBatchSize', settings.minBatchSize),
    ...wholeNumberProblems('maxBatchSize', settings.maxBatchSize),
    ...wholeNumberProblems('maxAttempts', settings.maxAttempts),
    ...LIMITS.flatMap((name) => limitProblems(name, settings[name])),
  ]
  const { asynchronousCommit } = settings
  if (asynchronousCommit !== undefined && typeof asynchronousCommit !== 'boolean') {
    problems.push(`asynchronousCommit must be true or false, not ${describe(asynchronousCommit)}`)
  }
  const { minBatchSize, maxBatchSize } = settings
  if (typeof minBatchSize === 'number' && typeof maxBatchSize === 'number' && minBatchSize > maxBatchSize) {
    problems.push(`minBatchSize (${minBatchSize}) is above maxBatchSize (${maxBatchSize})`)
  }
  const { deadline } = settings
  if (deadline !== undefined && !(typeof deadline === 'number' && Number.isFinite(deadline) && deadline >= 1)) {
    problems.push(`deadline must be a number of at least 1, how often the target, not ${describe(deadline)}`)
  }
  if (settings.tuner !== undefined && typeof settings.tuner !== 'function') {
    problems.push('tuner must be what guardedTuner() or emaTuner() returns')
  }
  return problems
}

const LIMITS = ['statementTimeoutMs', 'lockTimeoutMs', 'idleInTransactionTimeoutMs'] as const

// The server takes them as INTEGERs of ms.
function limitProblems(name: string, value: unknown): string[] {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31))
    return []
  return [`${name} must be a whole number of ms from 0 (no limit) to ${2 ** 31 - 1}, not ${describe(value)}`]
}
