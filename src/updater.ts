import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { BatchRunner } from './batch/batch-runner.js'
import { checkController, type Controller } from './controller.js'
import type { Database, Query } from './databases/database.js'
import { ConfigurationError } from './errors.js'
import { UpdaterEmitter, type UpdaterEvents } from './observe/events.js'
import { closest, describe, wholeNumberProblems } from './options.js'
import { BackOffs } from './queue/back-off.js'
import {
  QueueControl,
  type EnqueueOptions,
  type Reasoned,
  type RetryOptions,
  type RowDefaults,
} from './queue/control.js'
import { readHistory, type HistoryEntry } from './queue/history.js'
import { QueueReporter } from './queue/queue-reporter.js'
import { QueueStore } from './queue/queue-store.js'
import { Registry } from './registry.js'
import {
  completionProblems,
  runUntilComplete,
  type CompletionOptions,
  type CompletionResult,
} from './run-to-completion.js'
import { Runner } from './runner.js'
import { checkInstallation, checkInstallationThrough, install, type InstallResult } from './schema/install.js'
import { resolveSettings, type ResolvedSettings, type UpdaterOptions } from './settings.js'
import { readStatus, type DatabaseStatus, type Status, type UpdatePerformance } from './status.js'
import type { UpdateDefinition } from './updates/definition.js'
import { waitForUpdates, waitProblems, type WaitOptions } from './wait-for.js'

/** An update by its name or its definition. */
export type UpdateReference = string | { readonly name: string }

/** What `runNextBatch()` did. */
export interface NextBatchResult {
  /** Whose batch ran; null when nothing could run. */
  readonly ran: string | null
  /** The queue is empty now. */
  readonly complete: boolean
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
  readonly #store: QueueStore<Tx>
  readonly #control: QueueControl<Tx>
  readonly #events: UpdaterEmitter
  readonly #backOffs: BackOffs
  readonly #batches: BatchRunner<Tx>
  readonly #runner: Runner<Tx>
  #checkedInstallation = false

  /** @throws ConfigurationError with every problem of the options */
  constructor(options: UpdaterOptions<Tx>) {
    this.#settings = resolveSettings(options)
    const { databaseName, clock, leaseMs, logger, schema, owner } = this.#settings
    this.databaseName = databaseName
    this.database = options.database
    this.owner = owner ?? `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
    this.#registry = new Registry(options.updates ?? [])
    this.#store = new QueueStore(options.database, schema)
    this.#events = new UpdaterEmitter(logger)
    this.#control = new QueueControl(options.database, databaseName, this.#store, this.#events)
    this.#backOffs = new BackOffs(clock)
    this.#batches = new BatchRunner({
      around: { database: options.database, databaseName, store: this.#store, clock, log: logger, leaseMs },
      settings: this.#settings,
      owner: this.owner,
      events: this.#events,
      backOffs: this.#backOffs,
      random: Math.random,
      newToken: randomUUID,
    })
    const shared = { databaseName, store: this.#store, registry: this.#registry, events: this.#events }
    this.#runner = new Runner({
      ...shared,
      owner: this.owner,
      settings: this.#settings,
      batches: this.#batches,
      backOffs: this.#backOffs,
      reporter: new QueueReporter({ ...shared, onlooker: this.#onlooker(), log: logger }),
      ready: () => this.#ready(),
      random: Math.random,
    })
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
  stop({ graceMs = DEFAULT_GRACE_MS }: StopOptions = {}): Promise<void> {
    if (typeof graceMs !== 'number' || Number.isNaN(graceMs) || graceMs < 0) {
      return Promise.reject(
        new ConfigurationError('stop', [`graceMs must be a number of at least 0, not ${describe(graceMs)}`]),
      )
    }
    return this.#runner.stop(graceMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs one batch now, without a pause. A batch that fails counts as run: see `status()`. */
  async runNextBatch(): Promise<NextBatchResult> {
    await this.#ready()
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
    refuseProblems('runToCompletion', completionProblems(options))
    await this.#ready()
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
        runUntilComplete(this.#store, this.databaseName, this.#onlooker(), { names, signal }, steps),
      )
      return { completed, batches, items, durationMs: this.#settings.clock.nowMs() - startedMs }
    } finally {
      this.#events.off('batch:success', count)
    }
  }

  /** Resolves when none of the updates is in the queue any more, whichever process runs them. */
  async waitFor(names: UpdateReference | readonly UpdateReference[], options: WaitOptions = {}): Promise<void> {
    refuseProblems('waitFor', waitProblems(options))
    await this.#ready()
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
    await this.#installed()
    if (list.length === 0) return this.#store.isEmpty()
    return (await this.#store.queuedAmong(list)).size === 0
  }

  /** The update whose batch is running, here or in another process; null when none is. */
  async currentUpdate(): Promise<string | null> {
    await this.#installed()
    return this.#batches.current ?? (await this.#store.rows()).find((row) => row.holder !== null)?.name ?? null
  }

  async status(): Promise<Status> {
    return { databases: { [this.databaseName]: await this.databaseStatus() } }
  }

  /** The status of this one database, without the frame that `status()` puts round it. */
  async databaseStatus(): Promise<DatabaseStatus> {
    await this.#installed()
    return readStatus({
      database: this.database,
      store: this.#store,
      registry: this.#registry,
      owner: this.owner,
      aborted: this.#runner.aborted !== null,
      running: this.#runner.running,
      current: this.#batches.current,
      localReasons: this.#batches.localReasons(),
    })
  }

  /** What an update did since it was enqueued; null when it isn't queued. */
  async performance(update: UpdateReference): Promise<UpdatePerformance | null> {
    const { updates } = await this.databaseStatus()
    return updates.find((entry) => entry.name === nameOf(update))?.performance ?? null
  }

  /** The last updates that left the queue, newest first. `limit` defaults to 100. */
  async history({ limit = 100 }: { readonly limit?: number } = {}): Promise<HistoryEntry[]> {
    refuseProblems('history', wholeNumberProblems('limit', limit))
    await this.#installed()
    return readHistory(this.#store.read, this.#store.tables, limit)
  }

  /**
   * Puts an update into the queue. A definition brings its own `dependsOn`, `ordering` and first progress. True when a
   * row was written.
   *
   * @throws AlreadyQueuedError unless `ifExists` is `ignore`
   */
  async enqueue(update: UpdateReference, options: EnqueueOptions<Tx> = {}): Promise<boolean> {
    const { tx } = options
    await this.#installed(tx === undefined ? undefined : this.#store.within(tx))
    const written = await this.#control.enqueue(this.#defaultsOf(update), options)
    this.#runner.mayHaveWork()
    return written
  }

  /** Keeps an update from running its next batch, until `resume`. */
  async pause(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    await this.#installed()
    await this.#control.pause(nameOf(update), reason)
  }

  async resume(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    await this.#installed()
    await this.#control.resume(nameOf(update), reason)
    this.#runner.mayHaveWork()
  }

  /** Takes an update out of the queue; the running batch is rolled back, committed batches stay. */
  async cancel(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    const name = nameOf(update)
    await this.#installed()
    await this.#control.cancel(name, reason)
    this.#batches.cancel(name)
    this.#runner.mayHaveWork()
  }

  /** Clears the failures of an update, so that it runs again from its last committed batch. */
  async retry(update: UpdateReference, options: RetryOptions = {}): Promise<void> {
    await this.#installed()
    await this.#control.retry(this.#defaultsOf(update), options)
    this.#backOffs.clear(nameOf(update))
    this.#runner.mayHaveWork()
  }

  /** Switches all updates of the database off, in every process and after restarts, until `enable`. */
  async disable(reason: Reasoned = {}): Promise<void> {
    await this.#installed()
    await this.#control.disable(reason)
    this.#runner.lookAgain()
  }

  async enable(): Promise<void> {
    await this.#installed()
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

  /** Before anything runs here. */
  async #ready(): Promise<void> {
    this.#registry.check(this.database)
    await this.#installed()
  }

  // Asked once: without our tables everything else would be an error of SQL that nobody understands.
  async #installed(query: Query = this.#store.read): Promise<void> {
    if (this.#checkedInstallation) return
    await checkInstallationThrough(query, this.databaseName, this.#store.tables)
    this.#checkedInstallation = true
  }

  #onlooker() {
    return { owner: this.owner, hasHandler: (name: string) => this.#registry.has(name) }
  }

  #defaultsOf(update: UpdateReference): RowDefaults {
    const name = nameOf(update)
    const definition =
      typeof update === 'object' && 'initialProgress' in update
        ? (update as UpdateDefinition)
        : this.#registry.get(name)
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

function nameOf(update: UpdateReference): string {
  const name: unknown = typeof update === 'string' ? update : update?.name
  if (typeof name !== 'string' || name === '') {
    throw new ConfigurationError('update', [`give the name of an update or its definition, not ${describe(update)}`])
  }
  return name
}

function refuseProblems(subject: string, problems: readonly string[]): void {
  if (problems.length > 0) throw new ConfigurationError(subject, problems)
}
