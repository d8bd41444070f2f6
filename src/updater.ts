import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import { BatchRunner } from './batch/batch-runner.js'
import { LONGEST_TIMER_MS, sleepUnlessAborted, systemClock } from './clock.js'
import { checkController, type Controller } from './controller.js'
import type { Database, Query } from './databases/database.js'
import { classifyError } from './databases/error-class.js'
import { ConfigurationError, UpdaterAbortedError } from './errors.js'
import { Mutex } from './mutex.js'
import { UpdaterEmitter, type UpdaterEvents } from './observe/events.js'
import { closest, describe, wholeNumberProblems } from './options.js'
import { fixedPace } from './pacing/fixed-pace.js'
import { BackOffs } from './queue/back-off.js'
import {
  QueueControl,
  type EnqueueOptions,
  type Reasoned,
  type RetryOptions,
  type RowDefaults,
} from './queue/control.js'
import { backOffMs } from './queue/failure-policy.js'
import { readHistory, type HistoryEntry } from './queue/history.js'
import { pickNext } from './queue/pick.js'
import { QueueStore } from './queue/queue-store.js'
import { reviewQueue } from './queue/review.js'
import type { QueueRow } from './queue/row.js'
import { readDisabled } from './queue/switch.js'
import { Registry } from './registry.js'
import { runLoop } from './run-loop.js'
import {
  completionProblems,
  runUntilComplete,
  UpdaterStoppedError,
  type CompletionOptions,
  type CompletionResult,
} from './run-to-completion.js'
import { checkInstallation, checkInstallationThrough, install, type InstallResult } from './schema/install.js'
import { resolveSettings, type ResolvedSettings, type UpdaterOptions } from './settings.js'
import { readStatus, type DatabaseStatus, type Status, type UpdatePerformance } from './status.js'
import type { UpdateDefinition } from './updates/definition.js'
import { waitForUpdates, waitProblems, type WaitOptions } from './wait-for.js'
import { WakeUp } from './wake-up.js'

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
  readonly #runner: BatchRunner<Tx>
  // One batch at a time, whether the loop or a caller asked for it.
  readonly #oneBatch = new Mutex()
  // Ends an idle wait because there may be work; ends a pause because somebody wants the loop to look again.
  readonly #mayHaveWork = new WakeUp()
  readonly #lookAgain = new WakeUp()
  // Invariant: the newest run, until it has stopped; a start() during its stop() makes another that waits for it.
  #run: Run | null = null
  // Batches that a caller runs himself end with it. Invariant: not stopped, or being stopped.
  #direct = newRun()
  #aborted: UpdaterAbortedError | null = null
  #lastReasons = ''
  #idleSaid = false
  // Names in depends_on that were looked up: each is reported once.
  readonly #knownTypos = new Set<string>()
  #checkedInstallation = false
  #connectionFailures = 0

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
    this.#runner = new BatchRunner({
      around: { database: options.database, databaseName, store: this.#store, clock, log: logger, leaseMs },
      settings: this.#settings,
      owner: this.owner,
      events: this.#events,
      backOffs: this.#backOffs,
      random: Math.random,
      newToken: randomUUID,
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
    if (this.#run && this.#run.stopped === null) return this.#run.started
    const before = this.#run?.stopped ?? Promise.resolve()
    const run = newRun()
    run.started = before.then(() => this.#start(run))
    this.#run = run
    run.started.catch((error: unknown) => {
      if (this.#run === run) this.#run = null
      // Whoever doesn't await start() learns it here; whoever does gets the error as well.
      this.#settings.logger.error(
        { database: this.databaseName, error },
        `the updater did not start: ${messageOf(error)}`,
      )
    })
    return run.started
  }

  async #start(run: Run): Promise<void> {
    this.#aborted = null
    this.#registry.check(this.database)
    try {
      await this.#ready()
    } catch (error) {
      if (classifyError(error) !== 'connection') throw error
    }
    if (!run.stop.signal.aborted) run.loop = this.#runLoop(run)
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
    const direct = this.#direct
    const run = this.#run ?? direct
    const cancel = () => {
      for (const each of new Set([run, direct])) each.cancel.abort(new Error('the updater is stopping'))
    }
    // Each call has a grace of its own: a second one that is less patient counts.
    const timer = setTimeout(cancel, Math.min(graceMs, LONGEST_TIMER_MS))
    run.stopped ??= this.#stop(run, direct).finally(() => {
      if (this.#run === run) this.#run = null
      if (this.#direct === direct) this.#direct = newRun()
    })
    void run.stopped.finally(() => clearTimeout(timer))
    return run.stopped
  }

  async #stop(run: Run, direct: Run): Promise<void> {
    for (const each of new Set([run, direct])) each.stop.abort(new UpdaterStoppedError(this.databaseName))
    this.#lookAgain.ring()
    this.#mayHaveWork.ring()
    await run.started.catch(() => {})
    await run.loop
    await this.#oneBatch.run(() => this.#runner.release())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Runs one batch now, without a pause. A batch that fails counts as run: see `status()`. */
  async runNextBatch(): Promise<NextBatchResult> {
    await this.#ready()
    const ran = await this.#step(this.#registry.names)
    // Nobody says when the next call comes: others may go on meanwhile.
    if (!this.#run) await this.#oneBatch.run(() => this.#runner.release())
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
    this.#aborted = null
    const startedMs = this.#settings.clock.nowMs()
    let batches = 0
    let items = 0
    const count = (event: UpdaterEvents['batch:success']) => {
      batches += 1
      items += event.items
    }
    const names = options.names?.map(nameOf)
    const stopped = this.#direct.stop.signal
    const signal = options.signal ? AbortSignal.any([options.signal, stopped]) : stopped
    this.#events.on('batch:success', count)
    try {
      const completed = await runUntilComplete(
        this.#store,
        this.databaseName,
        this.#onlooker(),
        { names, signal },
        {
          step: async (wanted) => {
            const known = this.#registry.names
            const among = wanted === null ? known : known.filter((name) => wanted.has(name))
            return (await this.#step(among, signal)) !== null
          },
          idle: () => this.#idle(signal),
          recover: (error) => this.#recoverOutage(error, signal),
        },
      )
      return { completed, batches, items, durationMs: this.#settings.clock.nowMs() - startedMs }
    } finally {
      this.#events.off('batch:success', count)
      if (!this.#run) await this.#oneBatch.run(() => this.#runner.release())
    }
  }

  /** Resolves when none of the updates is in the queue any more, whichever process runs them. */
  async waitFor(names: UpdateReference | readonly UpdateReference[], options: WaitOptions = {}): Promise<void> {
    refuseProblems('waitFor', waitProblems(options))
    await this.#ready()
    const list = (Array.isArray(names) ? (names as readonly UpdateReference[]) : [names as UpdateReference]).map(nameOf)
    const deadline = options.timeoutMs === undefined ? Infinity : performance.now() + options.timeoutMs
    await waitForUpdates(this.#store, list, options, async () => {
      if (this.#aborted) throw this.#aborted
      await this.#pollWait(Math.max(1, Math.min(this.#settings.pollMs, deadline - performance.now())), options.signal)
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
    return this.#runner.current ?? (await this.#store.rows()).find((row) => row.holder !== null)?.name ?? null
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
      aborted: this.#aborted !== null,
      running: this.#run !== null && this.#run.loop !== null,
      current: this.#runner.current,
      localReasons: this.#runner.localReasons(),
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
    this.#mayHaveWork.ring()
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
    this.#mayHaveWork.ring()
  }

  /** Takes an update out of the queue; the running batch is rolled back, committed batches stay. */
  async cancel(update: UpdateReference, reason: Reasoned = {}): Promise<void> {
    const name = nameOf(update)
    await this.#installed()
    await this.#control.cancel(name, reason)
    this.#runner.cancel(name)
    this.#mayHaveWork.ring()
  }

  /** Clears the failures of an update, so that it runs again from its last committed batch. */
  async retry(update: UpdateReference, options: RetryOptions = {}): Promise<void> {
    await this.#installed()
    await this.#control.retry(this.#defaultsOf(update), options)
    this.#backOffs.clear(nameOf(update))
    this.#mayHaveWork.ring()
  }

  /** Switches all updates of the database off, in every process and after restarts, until `enable`. */
  async disable(reason: Reasoned = {}): Promise<void> {
    await this.#installed()
    await this.#control.disable(reason)
    this.#lookAgain.ring()
    this.#mayHaveWork.ring()
  }

  async enable(): Promise<void> {
    await this.#installed()
    await this.#control.enable()
    this.#lookAgain.ring()
    this.#mayHaveWork.ring()
  }

  /**
   * The application's own hook round every batch; the built-in pause is off with it. The first registration wins.
   *
   * @throws ConfigurationError
   */
  registerController(controller: Controller): void {
    checkController(controller)
    if (this.#runner.controller) {
      this.#settings.logger.warn(
        { database: this.databaseName },
        'a controller is registered already; this one is ignored',
      )
      return
    }
    this.#runner.controller = controller
    this.#lookAgain.ring()
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

  async #runLoop(run: Run): Promise<void> {
    const stop = run.stop.signal
    let failure: UpdaterAbortedError | null = null
    let announced = false
    try {
      await runLoop<string>(
        {
          pick: async () => {
            await this.#ready()
            if (!announced) await this.#announce()
            announced = true
            return this.#pick(this.#registry.names)
          },
          rest: (name) => this.#rest(name, stop),
          batch: async () => {
            await this.#step(this.#registry.names)
          },
          idle: () => this.#idle(stop),
          recover: (error) => this.#recover(error, stop),
        },
        stop,
      )
    } catch (error) {
      failure = error instanceof UpdaterAbortedError ? error : null
      if (!failure)
        this.#settings.logger.error({ database: this.databaseName, error }, `the updater ended: ${messageOf(error)}`)
      if (this.#run === run) this.#run = null
    }
    this.#events.emit('updater:stop', { databaseName: this.databaseName, error: failure })
  }

  // One batch of the first runnable update among `names`, or null when none can run. `signal` ends a wait for the
  // controller when the loop doesn't run.
  #step(names: readonly string[], signal?: AbortSignal): Promise<string | null> {
    return this.#oneBatch.run(async () => {
      // A synchronous driver would otherwise keep timers and signals waiting for as long as there is work.
      await yieldToEventLoop()
      const name = await this.#pick(names)
      const definition = name === null ? undefined : this.#registry.get(name)
      if (name === null || definition === undefined) return null
      this.#idleSaid = false
      try {
        const ran = await this.#runner.run(definition, this.#signals(signal))
        this.#connectionFailures = 0
        return ran ? name : null
      } catch (error) {
        if (error instanceof UpdaterAbortedError) {
          this.#aborted = error
          this.#settings.logger.error({ database: this.databaseName, error }, error.message)
        }
        throw error
      } finally {
        this.#mayHaveWork.ring()
      }
    })
  }

  #signals(signal: AbortSignal | undefined): { stop: AbortSignal; cancel: AbortSignal } {
    const { stop, cancel } = this.#run ?? this.#direct
    return { stop: signal ? AbortSignal.any([stop.signal, signal]) : stop.signal, cancel: cancel.signal }
  }

  async #pick(names: readonly string[]): Promise<string | null> {
    if ((await readDisabled(this.#store.read, this.#store.tables)) !== null) return null
    const row = await pickNext(this.#store, {
      owner: this.owner,
      names,
      backOffPassed: (name, retryAt) => this.#backOffs.hasPassed(name, retryAt),
      isHeldBack: (name, attempts) => this.#backOffs.isHeldBack(name, attempts),
    })
    if (row !== null) await this.#reportTypos(row)
    return row?.name ?? null
  }

  // With a controller the application does the pacing.
  async #rest(updateName: string, stop: AbortSignal): Promise<'not needed' | 'rested' | 'interrupted'> {
    if (this.#runner.controller) return 'not needed'
    const pace = this.#settings.pace ?? DEFAULT_PACE
    const pause = pace.beforeBatch({ updateName })
    if (pause.ms <= 0) return 'not needed'
    const signal = AbortSignal.any([this.#lookAgain.signal, stop])
    this.#events.emit('pace:change', { databaseName: this.databaseName, pauseMs: pause.ms, why: pause.why })
    await sleepUnlessAborted(this.#settings.clock, pause.ms, signal)
    return signal.aborted ? 'interrupted' : 'rested'
  }

  // Nothing can run: says why, once per change, and waits for a change, a back-off's end or the next look.
  async #idle(stop: AbortSignal | undefined): Promise<void> {
    const lookedMs = performance.now()
    await this.#sayWhy()
    // A queue of a million rows that can't run must not be read for ever: the look may cost a twentieth of the time.
    const pollMs = Math.max(this.#settings.pollMs, 20 * (performance.now() - lookedMs))
    await this.#pollWait(pollMs, stop)
    await yieldToEventLoop()
  }

  async #pollWait(pollMs: number, stop: AbortSignal | undefined): Promise<void> {
    const woken = stop ? AbortSignal.any([this.#mayHaveWork.signal, stop]) : this.#mayHaveWork.signal
    const done = new AbortController()
    const either = AbortSignal.any([woken, done.signal])
    const backOffLeft = this.#backOffs.nextMs()
    const waits = [sleepUnlessAborted(systemClock, pollMs, either)]
    // Back-offs are counted by the injected clock, other processes are watched by the real one.
    if (backOffLeft !== null) waits.push(sleepUnlessAborted(this.#settings.clock, backOffLeft, either))
    try {
      await Promise.race(waits)
    } finally {
      done.abort()
    }
  }

  async #sayWhy(): Promise<void> {
    const { waiting } = await reviewQueue(this.#store, this.#onlooker())
    const reasons = Object.fromEntries(waiting)
    const text = JSON.stringify(
      Object.entries(reasons).map(([name, reason]) => [name, reason.code, reason.code === 'held' ? '' : reason.text]),
    )
    if (text !== this.#lastReasons) {
      this.#lastReasons = text
      for (const [name, reason] of waiting) {
        this.#settings.logger.info(
          { update: name, database: this.databaseName, code: reason.code },
          `update ${name}: ${reason.text}`,
        )
      }
      this.#events.emit('queue:change', { databaseName: this.databaseName, waiting: reasons })
    }
    if (this.#idleSaid) return
    this.#idleSaid = true
    this.#events.emit('updater:idle', { databaseName: this.databaseName, complete: await this.#store.isEmpty() })
  }

  // The registry held against the queue: one line and one event.
  async #announce(): Promise<void> {
    const { unknownRows, unknownDependencies, cycles } = await reviewQueue(this.#store, this.#onlooker())
    const found = { databaseName: this.databaseName, unknownRows, unknownDependencies, cycles }
    const odd = unknownRows.length + unknownDependencies.length + cycles.length > 0
    this.#settings.logger[odd ? 'warn' : 'info'](
      found,
      odd ? 'the updater started; the queue has rows that need a look' : 'the updater started',
    )
    for (const name of unknownDependencies) this.#knownTypos.add(name)
    this.#events.emit('updater:start', found)
  }

  // A dependency that nobody knows counts as finished, but was probably misspelt: said once, before it is relied on.
  async #reportTypos(row: QueueRow): Promise<void> {
    const unknown = row.dependsOn.filter((name) => !this.#registry.has(name) && !this.#knownTypos.has(name))
    if (unknown.length === 0) return
    const finished = await this.#store.finishedAmong(unknown)
    for (const name of unknown) {
      this.#knownTypos.add(name)
      if (finished.has(name)) continue
      const meant = closest(name, this.#registry.names)
      this.#settings.logger.warn(
        { update: row.name, database: this.databaseName, dependency: name },
        `update "${row.name}" depends on "${name}", which nobody knows` +
          (meant === undefined ? '' : `; did you mean "${meant}"?`),
      )
    }
  }

  /** Waits for a database that is away; throws what ends the runner. */
  async #recover(error: unknown, stop?: AbortSignal): Promise<void> {
    if (error instanceof UpdaterAbortedError) throw error
    this.#connectionFailures += 1
    const waitMs = backOffMs(this.#connectionFailures, Math.random)
    this.#settings.logger.warn(
      { database: this.databaseName, error, waitMs },
      classifyError(error) === 'connection'
        ? `the database is away: ${messageOf(error)}`
        : `the queue can't be run: ${messageOf(error)}`,
    )
    const { signal } = this.#lookAgain
    // A clock of a test may end its sleeps at once.
    await yieldToEventLoop()
    await sleepUnlessAborted(this.#settings.clock, waitMs, stop ? AbortSignal.any([signal, stop]) : signal)
  }

  // Somebody waits for the end: an error that doesn't pass by itself is theirs.
  async #recoverOutage(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    if (classifyError(error) !== 'connection') throw error
    await this.#recover(error, signal)
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

const DEFAULT_PACE = fixedPace()

/** One run of the loop, from start() to stop(). */
interface Run {
  /** Ends the loop after the running batch. */
  readonly stop: AbortController
  /** Cancels the running batch. */
  readonly cancel: AbortController
  started: Promise<void>
  stopped: Promise<void> | null
  loop: Promise<void> | null
}

function newRun(): Run {
  return {
    stop: new AbortController(),
    cancel: new AbortController(),
    started: Promise.resolve(),
    stopped: null,
    loop: null,
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
