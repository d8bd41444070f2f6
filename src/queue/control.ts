import type { Database, Query } from '../databases/database.js'
import { AlreadyQueuedError, NotQueuedError } from '../errors.js'
import type { JsonObject } from '../json.js'
import type { UpdaterEmitter } from '../observe/events.js'
import { describe, refuseProblems, requireOptions, textProblems, unknownOptionProblems } from '../options.js'
import { enqueueRow } from './enqueue.js'
import { encodeProgress } from './progress.js'
import type { QueueStore } from './queue-store.js'
import { parseProgress } from './row.js'
import { clearDisabled, writeDisabled } from './switch.js'
import { updateNameProblems } from './update-name.js'

/** Who does something and why, for the history and the log. */
export interface Reasoned {
  readonly by?: string
  readonly reason?: string
}

/** What may be said when an update is to go on. */
export interface AcceptingOptions {
  /**
   * Its definition has changed since its first batch, and going on from its progress is right. With the update's
   * definition in this process, that one is accepted; else whichever runs it next. Default false.
   */
  readonly acceptChanges?: boolean
}

export interface EnqueueOptions<Tx> {
  /** Joins the caller's own transaction: the row is there when that commits. */
  readonly tx?: Tx
  /** First progress. Default: the definition's, else `{}`. */
  readonly progress?: JsonObject
  /** Default: the definition's, else none. */
  readonly dependsOn?: string | readonly string[]
  /** Lower runs first. Default: the definition's, else 0. */
  readonly ordering?: number
  /** What to do when the name is queued already. Default `error`. */
  readonly ifExists?: 'error' | 'ignore'
  /** Who asked, for the history. */
  readonly by?: string
}

export interface RetryOptions extends AcceptingOptions {
  readonly by?: string
  /** Tries the rows that were set aside again; an update that has finished is enqueued for them. */
  readonly quarantined?: boolean
}

/** The defaults that a definition gives its row. */
export interface RowDefaults {
  readonly name: string
  readonly dependsOn: readonly string[]
  readonly ordering: number
  readonly initialProgress: JsonObject
  readonly fingerprint?: string
}

/** What people and deploys do to the queue. Everything here works from any process, with a runner or without. */
export class QueueControl<Tx> {
  readonly #database: Database<Tx>
  readonly #databaseName: string
  readonly #store: QueueStore<Tx>
  readonly #events: UpdaterEmitter

  constructor(database: Database<Tx>, databaseName: string, store: QueueStore<Tx>, events: UpdaterEmitter) {
    this.#database = database
    this.#databaseName = databaseName
    this.#store = store
    this.#events = events
  }

  /** True when a row was written, false when it was there and that was to be ignored. */
  async enqueue(defaults: RowDefaults, options: EnqueueOptions<Tx>): Promise<boolean> {
    checkEnqueue(defaults.name, options)
    const dependsOn =
      typeof options.dependsOn === 'string' ? [options.dependsOn] : (options.dependsOn ?? defaults.dependsOn)
    const row = {
      name: defaults.name,
      progressJson: encodeProgress(defaults.name, options.progress ?? defaults.initialProgress),
      dependsOn,
      ordering: options.ordering ?? defaults.ordering,
      by: options.by ?? null,
    }
    const written =
      options.tx === undefined
        ? await this.#database.transaction((tx) => enqueueRow(this.#store.within(tx), this.#store.tables, row))
        : await enqueueRow(this.#store.within(options.tx), this.#store.tables, row)
    if (!written && options.ifExists !== 'ignore') throw new AlreadyQueuedError(defaults.name)
    return written
  }

  async pause(name: string, reasoned: Reasoned): Promise<void> {
    const { by, reason } = checkReasoned('pause', reasoned)
    if (!(await this.#store.pause(name, by ?? null, reason ?? null))) return this.#requireQueued(name)
    this.#events.emit('update:pause', { ...this.#identity(name), by: by ?? null, reason: reason ?? null, error: null })
  }

  async resume(
    { name, fingerprint }: Pick<RowDefaults, 'name' | 'fingerprint'>,
    options: Reasoned & AcceptingOptions,
  ): Promise<void> {
    const { by, acceptChanges = false } = checkResume(options)
    const resumed = await this.#database.transaction(async (tx) => {
      const query = this.#store.within(tx)
      if (acceptChanges) await this.#store.acceptDefinition(query, name, fingerprint ?? null)
      return this.#store.resume(query, name)
    })
    if (!resumed) return this.#requireQueued(name)
    this.#events.emit('update:resume', { ...this.#identity(name), by: by ?? null })
  }

  async cancel(name: string, reasoned: Reasoned): Promise<void> {
    const { by, reason } = checkReasoned('cancel', reasoned)
    const ending = {
      outcome: 'cancelled',
      by: by ?? null,
      reason: reason ?? null,
      progressJson: null,
      batches: 0,
      items: 0,
      busyMs: 0,
    } as const
    await this.#database.transaction(async (tx) => {
      // Inside, so that the history's row goes too when a batch ended the update a moment before.
      if (!(await this.#store.remove(this.#store.within(tx), name, ending))) throw new NotQueuedError(name)
    })
    this.#events.emit('update:cancel', { ...this.#identity(name), by: by ?? null, reason: reason ?? null })
  }

  async retry(defaults: RowDefaults, options: RetryOptions): Promise<void> {
    const { by, quarantined = false } = checkRetry(options)
    const { name } = defaults
    await this.#database.transaction(async (tx) => {
      const query = this.#store.within(tx)
      if (await this.#retryQueued(query, defaults, options)) return
      if (!quarantined) throw new NotQueuedError(name)
      await this.#reviveFinished(query, defaults, by ?? null)
    })
    this.#events.emit('update:retry', { ...this.#identity(name), by: by ?? null })
  }

  /** False when the update isn't in the queue. */
  async #retryQueued(
    query: Query,
    { name, fingerprint }: RowDefaults,
    { quarantined = false, acceptChanges = false }: RetryOptions,
  ): Promise<boolean> {
    if (!(await this.#store.retry(query, name))) return false
    if (acceptChanges) await this.#store.acceptDefinition(query, name, fingerprint ?? null)
    if (!quarantined) return true
    const progressJson = await this.#store.progressOf(query, name)
    if (progressJson === null) return false
    await this.#store.replaceProgress(query, name, withQuarantined(name, progressJson))
    return true
  }

  /** A finished update comes back with the progress that it ended with: only the rows set aside are left to do. */
  async #reviveFinished(query: Query, { name, ordering }: RowDefaults, by: string | null): Promise<void> {
    const progressJson = await this.#store.completedProgress(query, name)
    if (progressJson === null) throw new NotQueuedError(name)
    const row = { name, dependsOn: [], ordering, progressJson: withQuarantined(name, progressJson), by }
    await enqueueRow(query, this.#store.tables, row)
  }

  async disable(reasoned: Reasoned): Promise<void> {
    const { by, reason } = checkReasoned('disable', reasoned)
    await writeDisabled(this.#store.read, this.#store.tables, { by: by ?? null, reason: reason ?? null })
  }

  async enable(): Promise<void> {
    await clearDisabled(this.#store.read, this.#store.tables)
  }

  async #requireQueued(name: string): Promise<void> {
    if (!(await this.#store.queuedAmong([name])).has(name)) throw new NotQueuedError(name)
  }

  #identity(updateName: string) {
    return { databaseName: this.#databaseName, updateName }
  }
}

// The update tries the rows that were set aside again, and takes the mark away.
function withQuarantined(name: string, progressJson: string): string {
  return JSON.stringify({ ...parseProgress(name, progressJson), retryQuarantined: true })
}

function checkReasoned(verb: string, reasoned: Reasoned): Reasoned {
  requireOptions(verb, reasoned)
  const problems = [
    ...unknownOptionProblems(reasoned, ['by', 'reason']),
    ...textProblems('by', reasoned.by),
    ...textProblems('reason', reasoned.reason),
  ]
  refuseProblems(verb, problems)
  return reasoned
}

function checkResume<Options extends Reasoned & AcceptingOptions>(options: Options): Options {
  requireOptions('resume', options)
  const problems = [
    ...unknownOptionProblems(options, ['by', 'reason', 'acceptChanges']),
    ...textProblems('by', options.by),
    ...textProblems('reason', options.reason),
    ...switchProblems('acceptChanges', options.acceptChanges),
  ]
  refuseProblems('resume', problems)
  return options
}

function switchProblems(name: string, value: unknown): string[] {
  return value === undefined || typeof value === 'boolean'
    ? []
    : [`${name} must be true or false, not ${describe(value)}`]
}

function checkRetry(options: RetryOptions): RetryOptions {
  requireOptions('retry', options)
  const problems = [
    ...unknownOptionProblems(options, ['by', 'quarantined', 'acceptChanges']),
    ...textProblems('by', options.by),
    ...switchProblems('quarantined', options.quarantined),
    ...switchProblems('acceptChanges', options.acceptChanges),
  ]
  refuseProblems('retry', problems)
  return options
}

const ENQUEUE_OPTIONS = ['tx', 'progress', 'dependsOn', 'ordering', 'ifExists', 'by']
// The range of the column, on both databases.
const MAX_ORDERING = 2 ** 31 - 1

function checkEnqueue<Tx>(name: string, options: EnqueueOptions<Tx>): void {
  const problems = unknownOptionProblems(options, ENQUEUE_OPTIONS)
  const { ordering, ifExists, dependsOn } = options
  problems.push(...updateNameProblems('the name', name), ...textProblems('by', options.by))
  if (ordering !== undefined && (!Number.isSafeInteger(ordering) || Math.abs(ordering) > MAX_ORDERING)) {
    problems.push(`ordering must be a whole number within ±${MAX_ORDERING}, not ${describe(ordering)}`)
  }
  if (ifExists !== undefined && ifExists !== 'error' && ifExists !== 'ignore') {
    problems.push(`ifExists must be 'error' or 'ignore', not ${describe(ifExists)}`)
  }
  const names = typeof dependsOn === 'string' ? [dependsOn] : (dependsOn ?? [])
  if (!Array.isArray(names)) problems.push('dependsOn must be a name or an array of names')
  else problems.push(...names.flatMap((dependency) => updateNameProblems('dependsOn', dependency)))
  refuseProblems(`enqueue ${describe(name)}`, problems)
}
