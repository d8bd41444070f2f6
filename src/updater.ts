import type { BatchRunners } from './batch/batch-runners.js'
import { checkController, type Controller } from './controller.js'
import type { Database } from './databases/database.js'
import { ConfigurationError, NotQueuedError, UnknownUpdateError } from './errors.js'
import { explainUpdate, type PaceReport, type Why } from './explain.js'
import type { JsonValue } from './json.js'
import { changeSettings, type ChangeOptions } from './live/change-settings.js'
import type { LiveSettings } from './live/live-settings.js'
import { readStoredSettings, type StoredSetting } from './live/stored-settings.js'
import type { UpdaterEmitter, UpdaterEvents } from './observe/events.js'
import {
  closest,
  describe,
  durationProblems,
  refuseProblems,
  requireOptions,
  requireReadable,
  unknownOptionProblems,
  wholeNumberProblems,
} from './options.js'
import type { BackOffs } from './queue/back-off.js'
import type { Pacer } from './pacer.js'
import type {
  AcceptingOptions,
  EnqueueOptions,
  QueueControl,
  Reasoned,
  RetryOptions,
  RowDefaults,
} from './queue/control.js'
import { readAudit, type AuditEntry } from './queue/audit.js'
import { parseProgress } from './queue/row.js'
import { readHistory, type HistoryEntry } from './queue/history.js'
import { readQuarantine, type QuarantinedRow } from './queue/quarantine.js'
import type { QueueStore } from './queue/queue-store.js'
import type { Onlooker } from './queue/reasons.js'
import type { Readiness } from './readiness.js'
import type { Registry } from './registry.js'
import {
  completionProblems,
  runUntilComplete,
  type CompletionOptions,
  type CompletionResult,
} from './run-to-completion.js'
import type { Runner } from './runner.js'
import { checkInstallation, install, type InstallResult } from './schema/install.js'
import type { ResolvedSettings, UpdaterOptions } from './settings.js'
import { readStatus, type DatabaseStatus, type Status, type UpdatePerformance } from './status.js'
import type { UpdateDefinition } from './updates/definition.js'
import type { Preview } from './updates/preview/preview.js'
import { runPreview } from './updates/preview/run-preview.js'
import { waitForUpdates, waitProblems, type WaitOptions } from './wait-for.js'
import { nameOf, type UpdateReference } from './update-reference.js'
import { assembleParts } from './updater-parts.js'

/** What `runNextBatch()` did. */
export interface NextBatchResult {
  /** Whose batch ran; null when nothing could run. */
  readonly ran: string | null
  /** The queue is empty now. */
  readonly complete: boolean
}

/** Who changes a setting, why, and for which update. */
export interface SetOptions extends Omit<ChangeOptions, 'update'> {
  /** The one update that it is for. Default: all of the database. */
  readonly update?: UpdateReference
}

export interface StopOptions {
  /** How long the running batch may go on before it is cancelled, in ms. Default 5 000. */
  readonly graceMs?: number
}

const DEFAULT_GRACE_MS = 5_000

/**
 * Runs the background updates of one database.
 *
 * @example
 * import pg from 'pg'
 * import { BackgroundUpdater, backfill } from 'evenkeel'
 * import { fromPg } from 'evenkeel/pg'
 *
 * const lowercase = backfill({ name: 'lowercase_emails', table: 'users', set: { email_lower: 'lower(email)' } })
 * const updater = new BackgroundUpdater({ database: fromPg(new pg.Pool()), updates: [lowercase] })
 * await updater.install()
 * await updater.enqueue(lowercase)
 * await updater.start()
 */
export class BackgroundUpdater<Tx = unknown> {
  readonly databaseName: string
  readonly database: Database<Tx>
  readonly owner: string
  readonly #settings: ResolvedSettings
  readonly #registry: Registry<Tx>
  readonly #readiness: Readiness<Tx>
  readonly #store: QueueStore<Tx>
  readonly #control: QueueControl<Tx>
  readonly #events: UpdaterEmitter
  readonly #backOffs: BackOffs
  readonly #batches: BatchRunners<Tx>
  readonly #pacer: Pacer
  readonly #live: LiveSettings
  readonly #onlooker: Onlooker
  readonly #runner: Runner<Tx>

  /** @throws ConfigurationError with every problem of the options */
  constructor(options: UpdaterOptions<Tx>) {
    const parts = assembleParts(options)
    this.databaseName = parts.settings.databaseName
    this.database = options.database
    this.owner = parts.owner
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#readiness = parts.readiness
    this.#store = parts.store
    this.#control = parts.control
    this.#events = parts.events
    this.#backOffs = parts.backOffs
    this.#batches = parts.batches
    this.#pacer = parts.pacer
    this.#live = parts.live
    this.#onlooker = parts.onlooker
    this.#runner = parts.runner
  }

  /** Creates or upgrades our own tables. Safe to call from any number of processes at once. */
  install(): Promise<InstallResult> {
    return install(this.database, this.databaseName, this.#store.tables)
  }

  /** @throws NotInstalledError or VersionMismatchError unless our tables are those of this version */
  checkInstallation(): Promise<void> {
    return checkInstallation(this.database, this.databaseName, this.#store.tables)
  }

  /**
   * Begins to run the queue in the background. Resolves when the installation was checked and the loop runs; a
   * database that is away at that moment is waited for. Called twice, both share one promise.
   *
   * @throws NotInstalledError, VersionMismatchError
   * @throws UnsupportedError when an update can't run on this database
   */
  start(): Promise<void> {
    return this.#runner.start()
  }

  /**
   * Stops: the running batch may finish within `graceMs`, then it is cancelled and rolled back; the lease is handed
   * over at once. Called twice, both share one promise, and the shorter grace counts. runToCompletion() ends with it.
   */
  stop(options: StopOptions = {}): Promise<void> {
    const graceMs = graceOf(options)
    return typeof graceMs === 'number' ? this.#runner.stop(graceMs) : Promise.reject(graceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs one batch now, without a pause. A batch that fails counts as run: see `status()`. */
  async runNextBatch(): Promise<NextBatchResult> {
    await this.#readiness.ready()
    const ran = await this.#runner.runNext()
    return { ran, complete: await this.#store.isEmpty() }
  }

  /**
   * Runs the queue without pauses until it is empty, or until `names` and what they depend on have left it.
   *
   * @throws NeedsPersonError listing what can't go on without a person, after everything else has run
   * @throws DisabledError
   * @throws UpdaterStoppedError when stop() is called meanwhile
   */
  async runToCompletion(
    options: Omit<CompletionOptions, 'names'> & { readonly names?: readonly UpdateReference[] } = {},
  ): Promise<CompletionResult> {
    requireOptions('runToCompletion', options)
    refuseProblems('runToCompletion', completionProblems(options))
    await this.#readiness.ready()
    const names = options.names?.map(nameOf)
    const startedMs = this.#settings.clock.nowMs()
    let batches = 0
    let items = 0
    const count = (event: UpdaterEvents['batch:success']) => {
      batches += 1
      items += event.items
    }
    this.#events.on('batch:success', count)
    try {
      const completed = await this.#runner.complete(options.signal, (steps, signal) =>
        runUntilComplete(this.#store, this.databaseName, this.#onlooker, { names, signal }, steps),
      )
      return { completed, batches, items, durationMs: this.#settings.clock.nowMs() - startedMs }
    } finally {
      this.#events.off('batch:success', count)
    }
  }

  /** Resolves when none of the updates is in the queue any more, whichever process runs them. */
  async waitFor(names: UpdateReference | readonly UpdateReference[], options: WaitOptions = {}): Promise<void> {
    requireReadable('waitFor', names)
    requireOptions('waitFor', options)
    refuseProblems('waitFor', waitProblems(options))
    await this.#readiness.ready()
    const list = (Array.isArray(names) ? (names as readonly UpdateReference[]) : [names as UpdateReference]).map(nameOf)
    const deadline = options.timeoutMs === undefined ? Infinity : performance.now() + options.timeoutMs
    await waitForUpdates(this.#store, list, options, async () => {
      if (this.#runner.aborted) throw this.#runner.aborted
      await this.#runner.wait(
        Math.max(1, Math.min(this.#settings.pollMs, deadline - performance.now())),
        options.signal,
      )
    })
  }

  /** True when none of the names is in the queue. Always asked of the database. */
  async hasCompleted(...names: readonly UpdateReference[]): Promise<boolean> {
    const list = names.map(nameOf)
    await this.#readiness.installed()
    if (list.length === 0) return this.#store.isEmpty()
    return (await this.#store.queuedAmong(list)).size === 0
  }

  /** The update whose batch is running, here or in another process; null when none is. */
  async currentUpdate(): Promise<string | null> {
    await this.#readiness.installed()
    return this.#batches.current ?? (await this.#store.rows()).find((row) => row.holder !== null)?.name ?? null
  }

  async status(): Promise<Status> {
    return { databases: { [this.databaseName]: await this.databaseStatus() } }
  }

  /** The status of this one database, without the frame that `status()` puts round it. */
  async databaseStatus(): Promise<DatabaseStatus> {
    await this.#readiness.installed()
    return readStatus({
      database: this.database,
      store: this.#store,
      registry: this.#registry,
      owner: this.owner,
      aborted: this.#runner.aborted !== null,
      running: this.#runner.running,
      current: this.#batches.current,
      localReasons: new Map([...this.#pacer.waiting(), ...this.#batches.localReasons()]),
    })
  }

  /** What an update did since it was enqueued; null when it isn't queued. */
  async performance(update: UpdateReference): Promise<UpdatePerformance | null> {
    const { updates } = await this.databaseStatus()
    return updates.find((entry) => entry.name === nameOf(update))?.performance ?? null
  }

  /** The last updates that left the queue, newest first. `limit` defaults to 100. */
  async history(options: { readonly limit?: number } = {}): Promise<HistoryEntry[]> {
    requireOptions('history', options)
    const { limit = 100 } = options
    refuseProblems('history', wholeNumberProblems('limit', limit))
    await this.#readiness.installed()
    return readHistory(this.#store.read, this.#store.tables, limit)
  }

  /**
   * The rows of yours that updates have set aside and not done since, in their order. `limit` defaults to 100, `update` to
   * all updates.
   */
  async quarantined(
    options: { readonly update?: UpdateReference | undefined; readonly limit?: number } = {},
  ): Promise<QuarantinedRow[]> {
    requireOptions('quarantined', options)
    const { update, limit = 100 } = options
    refuseProblems('quarantined', wholeNumberProblems('limit', limit))
    await this.#readiness.installed()
    return readQuarantine(this.#store.read, this.#store.tables, update === undefined ? null : nameOf(update), limit)
  }

  /**
   * Puts an update into the queue. A definition brings its own `dependsOn`, `ordering` and first progress. True when a
   * row was written.
   *
   * @throws AlreadyQueuedError unless `ifExists` is `ignore`
   */
  async enqueue(update: UpdateReference, options: EnqueueOptions<Tx> = {}): Promise<boolean> {
    requireOptions('enqueue', options)
    const { tx } = options
    await this.#readiness.installed(tx === undefined ? undefined : this.#store.within(tx))
    const written = await this.#control.enqueue(this.#defaultsOf(update), options)
    this.#runner.mayHaveWork()
    return written
  }

  /**
   * Which rows an update would delete, move or change, from where it is now: a count and a sample, and nothing is
   * changed. It looks for at most `timeoutMs` (default 5 000) and at little more than `limit` rows found (default
   * 10 000), in short statements; `exact` says whether it got to the end. Null for an update that walks no table.
   *
   * @throws UnknownUpdateError when its definition isn't in this process
   */
  async preview(
    update: UpdateReference,
    options: { readonly timeoutMs?: number; readonly limit?: number } = {},
  ): Promise<Preview | null> {
    const { timeoutMs = 5_000, limit: rows = 10_000 } = options
    refuseProblems('preview', [
      ...unknownOptionProblems(options, ['timeoutMs', 'limit']),
      ...durationProblems('timeoutMs', timeoutMs),
      ...wholeNumberProblems('limit', rows),
    ])
    const name = nameOf(update)
    const definition = this.#definitionOf(update)
    if (definition === undefined) throw new UnknownUpdateError(name, closest(name, this.#registry.names))
    await this.#readiness.installed()
    const saved = await this.#store.progressOf(this.#store.read, name)
    const progress = saved === null ? definition.initialProgress : parseProgress(name, saved)
    return runPreview(this.database, definition, progress, { timeoutMs, rows })
  }

  /** Keeps an update from running its next batch, until `resume`. */
  async pause(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    await this.#readiness.installed()
    await this.#control.pause(nameOf(update), reason)
  }

  /** Lets a paused update go on. `acceptChanges` is for one whose definition has changed since its first batch. */
  async resume(update: UpdateReference, options: Reasoned & AcceptingOptions = {}): Promise<void> {
    await this.#readiness.installed()
    const fingerprint = this.#definitionOf(update)?.fingerprint
    await this.#control.resume({ name: nameOf(update), fingerprint }, options)
    this.#runner.mayHaveWork()
  }

  /** Takes an update out of the queue; the running batch is rolled back, committed batches stay. */
  async cancel(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    const name = nameOf(update)
    await this.#readiness.installed()
    await this.#control.cancel(name, reason)
    this.#batches.cancel(name)
    this.#runner.mayHaveWork()
  }

  /** Clears the failures of an update, so that it runs again from its last committed batch. */
  async retry(update: UpdateReference, options: RetryOptions = {}): Promise<void> {
    await this.#readiness.installed()
    await this.#control.retry(this.#defaultsOf(update), options)
    this.#backOffs.clear(nameOf(update))
    this.#runner.mayHaveWork()
  }

  /**
   * Changes settings of the database, or with `update` of one update, while it runs: stored, so that restarts keep them,
   * and taken up by every process within about a second. Null takes a setting away.
   *
   * @throws ConfigurationError naming every key and value that is wrong
   * @throws UnknownUpdateError when `update` is neither defined here nor queued
   * @example
   * import type { BackgroundUpdater } from 'evenkeel'
   *
   * export async function slowDown(updater: BackgroundUpdater): Promise<void> {
   *   await updater.set({ 'pace.maxDuty': 0.2 }, { by: 'anna', reason: 'the sale begins' })
   *   await updater.set({ targetMs: 20 }, { update: 'lowercase_emails' })
   * }
   */
  async set(changes: Readonly<Record<string, JsonValue>>, options: SetOptions = {}): Promise<void> {
    await this.#readiness.installed()
    const { update, ...reasoned } = options
    const name = update === undefined ? undefined : nameOf(update)
    if (name !== undefined) await this.#requireKnown(name)
    await changeSettings(
      this.database,
      this.#store,
      changes,
      name === undefined ? reasoned : { ...reasoned, update: name },
    )
    this.#live.lookSoon()
    this.#runner.lookAgain()
  }

  /** The settings that were changed with `set()` and are stored. */
  async settings(): Promise<StoredSetting[]> {
    await this.#readiness.installed()
    return [...(await readStoredSettings(this.#store.read, this.#store.tables)).values()]
  }

  /** Who changed what and why, newest first. `limit` defaults to 100. */
  async audit({ limit = 100 }: { readonly limit?: number } = {}): Promise<AuditEntry[]> {
    refuseProblems('audit', wholeNumberProblems('limit', limit))
    await this.#readiness.installed()
    return readAudit(this.#store.read, this.#store.tables, limit)
  }

  /** What the pace of this process is at, its last decisions, and how long was waited for what. */
  explainPace(): PaceReport {
    return { ...this.#pacer.explain(), waitedSeconds: this.#pacer.waitedSeconds() }
  }

  /** Why an update has the batch size it has, why it waits, and how that came about, in words. */
  async why(update: UpdateReference): Promise<Why> {
    const name = nameOf(update)
    const { updates, status: databaseStatus } = await this.databaseStatus()
    const status = updates.find((entry) => entry.name === name)
    if (status === undefined) throw new NotQueuedError(name)
    const nobodyRuns = databaseStatus === 'NOT_STARTED'
    const settings = (await this.settings()).filter((setting) => setting.update === null || setting.update === name)
    return explainUpdate(status, {
      pace: this.explainPace(),
      tuner: this.#batches.explainTuner(name),
      settings,
      nobodyRuns,
    })
  }

  /** Switches all updates of the database off, in every process and after restarts, until `enable`. */
  async disable(reason: Reasoned = {}): Promise<void> {
    await this.#readiness.installed()
    await this.#control.disable(reason)
    this.#runner.lookAgain()
  }

  async enable(): Promise<void> {
    await this.#readiness.installed()
    await this.#control.enable()
    this.#runner.lookAgain()
  }

  /**
   * The application's own hook round every batch; the built-in pause is off with it. The first registration wins.
   *
   * @throws ConfigurationError
   */
  registerController(controller: Controller): void {
    checkController(controller)
    if (this.#batches.controller) {
      this.#settings.logger.warn(
        { database: this.databaseName },
        'a controller is registered already; this one is ignored',
      )
      return
    }
    this.#batches.controller = controller
    this.#runner.lookAgain()
  }

  on<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.on(name, listener)
    return this
  }

  once<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.once(name, listener)
    return this
  }

  off<Name extends keyof UpdaterEvents>(name: Name, listener: (event: UpdaterEvents[Name]) => void): this {
    this.#events.off(name, listener)
    return this
  }

  async #requireKnown(name: string): Promise<void> {
    if (this.#registry.has(name)) return
    const queued = (await this.#store.rows()).map((row) => row.name)
    if (!queued.includes(name)) throw new UnknownUpdateError(name, closest(name, [...this.#registry.names, ...queued]))
  }

  #definitionOf(update: UpdateReference): UpdateDefinition | undefined {
    // First, since it refuses what is neither.
    const name = nameOf(update)
    const given = typeof update === 'object' && 'initialProgress' in update
    return given ? (update as UpdateDefinition) : this.#registry.get(name)
  }

  #defaultsOf(update: UpdateReference): RowDefaults {
    const name = nameOf(update)
    const definition = this.#definitionOf(update)
    if (!definition) {
      const meant = closest(name, this.#registry.names)
      const hint = meant === undefined ? '' : `; did you mean "${meant}"?`
      this.#settings.logger.warn(
        { update: name, database: this.databaseName },
        `no handler for update "${name}" in this process${hint}`,
      )
      return { name, dependsOn: [], ordering: 0, initialProgress: {} }
    }
    return definition
  }
}

// Not thrown: stop() rejects, and shares its promise.
function graceOf(options: StopOptions): number | ConfigurationError {
  try {
    requireOptions('stop', options)
    const { graceMs = DEFAULT_GRACE_MS } = options
    if (typeof graceMs === 'number' && graceMs >= 0) return graceMs
    return new ConfigurationError('stop', [`graceMs must be a number of at least 0, not ${describe(graceMs)}`])
  } catch (error) {
    return error as ConfigurationError
  }
}
