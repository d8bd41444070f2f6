import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { BatchOutcome, BatchRunner } from './batch/batch-runner.js'
import type { BatchRunners } from './batch/batch-runners.js'
import { LONGEST_TIMER_MS, sleepUnlessAborted, systemClock } from './clock.js'
import { classifyError } from './databases/error-class.js'
import type { WalCheckpoints } from './databases/wal-checkpoints.js'
import { EitherSignal } from './either-signal.js'
import { UpdaterAbortedError } from './errors.js'
import { LaneCrew } from './lane-crew.js'
import type { LiveSettings } from './live/live-settings.js'
import { LiveLanes } from './live-lanes.js'
import { Mutex } from './mutex.js'
import type { UpdaterEmitter } from './observe/events.js'
import type { Pacer } from './pacer.js'
import type { BatchLimits } from './pacing/pace.js'
import type { BackOffs } from './queue/back-off.js'
import { backOffMs } from './queue/failure-policy.js'
import type { QueueReporter } from './queue/queue-reporter.js'
import type { QueueStore } from './queue/queue-store.js'
import { QueueLook } from './queue-look.js'
import type { Registry } from './registry.js'
import { runLoop, type Rest } from './run-loop.js'
import { UpdaterStoppedError, type CompletionSteps } from './run-to-completion.js'
import { settingsOf, type ResolvedSettings } from './settings.js'
import type { SignalSampler } from './signals/sampler.js'
import { WakeUp } from './wake-up.js'

export interface RunnerParts<Tx> {
  readonly databaseName: string
  readonly owner: string
  readonly settings: ResolvedSettings
  readonly registry: Registry<Tx>
  readonly store: QueueStore<Tx>
  readonly batches: BatchRunners<Tx>
  readonly pacer: Pacer
  readonly live: LiveSettings
  readonly backOffs: BackOffs
  readonly reporter: QueueReporter<Tx>
  readonly signals: SignalSampler<Tx>
  /** Between batches on SQLite. */
  readonly checkpoints: WalCheckpoints<Tx> | null
  readonly events: UpdaterEmitter
  /** Throws unless the updates fit this database and our tables are there. */
  readonly ready: () => Promise<void>
  /** From 0 to 1, for the jitter of back-offs. */
  readonly random: () => number
}

/** Gives the run loop its steps: starts and stops it, picks, pauses, waits, and sits out a database that is away. */
export class Runner<Tx> {
  readonly #parts: RunnerParts<Tx>
  // One batch at a time, whether the loop or a caller asked for it.
  readonly #oneBatch = new Mutex()
  // Ends an idle wait because there may be work; ends a pause because somebody wants the loop to look again.
  readonly #mayHaveWork = new WakeUp()
  readonly #lookAgain = new WakeUp()
  readonly #interrupted = new EitherSignal()
  readonly #stopped = new EitherSignal()
  // Invariant: the newest run, until it has stopped; a start() during its stop() makes another that waits for it.
  #run: Run | null = null
  // Batches that a caller runs himself end with it. Invariant: not stopped, or being stopped.
  #direct = newRun()
  #aborted: UpdaterAbortedError | null = null
  readonly #look: QueueLook<Tx>
  readonly #crew: LaneCrew<Tx>
  readonly #liveLanes: LiveLanes
  // Looks at the queue in a row that failed.
  #outages = 0

  constructor(parts: RunnerParts<Tx>) {
    this.#parts = parts
    const { batches } = parts
    const holdsLaneOf = (updateName: string) => batches.holdsLaneOf(updateName)
    this.#look = new QueueLook({ ...parts, batches: batches.main, holdsLaneOf })
    this.#crew = new LaneCrew({
      ...parts,
      holdsLaneOf,
      helpers: batches.helpers,
      onLaneLeft: () => this.#mayHaveWork.ring(),
    })
    this.#liveLanes = new LiveLanes(parts.store.lanes)
  }

  /** Strict mode gave up; null once it was started again. */
  get aborted(): UpdaterAbortedError | null {
    return this.#aborted
  }

  /** The loop runs. */
  get running(): boolean {
    return this.#run !== null && this.#run.loop !== null
  }

  start(): Promise<void> {
    if (this.#run && this.#run.stopped === null) return this.#run.started
    const before = this.#run?.stopped ?? Promise.resolve()
    const run = newRun()
    run.started = before.then(() => this.#start(run))
    this.#run = run
    run.started.catch((error: unknown) => {
      if (this.#run === run) this.#run = null
      // Whoever doesn't await start() learns it here; whoever does gets the error as well.
      this.#log('error', error, `the updater did not start: ${messageOf(error)}`)
    })
    return run.started
  }

  async #start(run: Run): Promise<void> {
    this.#aborted = null
    try {
      await this.#parts.ready()
    } catch (error) {
      if (classifyError(error) !== 'connection') throw error
    }
    if (!run.stop.signal.aborted) run.loop = this.#loop(run)
  }

  stop(graceMs: number): Promise<void> {
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
    for (const each of new Set([run, direct])) each.stop.abort(new UpdaterStoppedError(this.#parts.databaseName))
    this.lookAgain()
    await run.started.catch(() => {})
    await run.loop
    await this.#parts.signals.stop()
    await this.#release()
    await this.#parts.checkpoints?.end()
  }

  /** Something may have become runnable. */
  mayHaveWork(): void {
    this.#mayHaveWork.ring()
    this.#crew.moreLanes()
  }

  /** What a pause was for may be over: the loop looks at the queue again. */
  lookAgain(): void {
    this.#lookAgain.ring()
    this.mayHaveWork()
  }

  /** One batch now, without a pause; the name of its update, or null when none can run. */
  async runNext(): Promise<string | null> {
    try {
      return await this.#step(this.#parts.registry.names)
    } finally {
      // Nobody says when the next call comes: others may go on meanwhile.
      if (!this.#run) await this.#release()
    }
  }

  /** Hands the steps of runToCompletion() to `work`, and a signal that also aborts when the updater stops. */
  async complete<T>(
    signal: AbortSignal | undefined,
    work: (steps: CompletionSteps, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#aborted = null
    const { names } = this.#parts.registry
    const { stop, cancel } = this.#direct
    const helpersEnded = new AbortController()
    const given = [stop.signal, helpersEnded.signal, ...(signal ? [signal] : [])]
    const either = AbortSignal.any(given)
    let among: readonly string[] = []
    const steps: CompletionSteps = {
      step: async (wanted) => {
        among = wanted === null ? names : names.filter((name) => wanted.has(name))
        return (await this.#step(among, either)) !== null
      },
      idle: () => this.#idle(either),
      // Somebody waits for the end: an error that doesn't pass by itself is theirs.
      recover: async (error) => {
        if (classifyError(error) !== 'connection') throw error
        await this.#recover(error, either)
      },
    }
    const done = new AbortController()
    // While the loop runs its helpers do, at its pace.
    const helped = this.#run
      ? Promise.resolve()
      : this.#crew.run({
          names: () => among,
          stop: AbortSignal.any([either, done.signal]),
          cancel: cancel.signal,
          rest: async () => 'not needed',
          limitsOf: () => ({}),
          recover: (error) => steps.recover(error),
        })
    helped.catch((error: unknown) => {
      if (error instanceof UpdaterAbortedError) this.#giveUp(error)
      helpersEnded.abort(error)
    })
    try {
      return await work(steps, either)
    } finally {
      done.abort()
      await helped.catch(() => {})
      if (!this.#run) {
        await this.#release()
        await this.#parts.checkpoints?.end()
      }
    }
  }

  /** Waits for `pollMs` on the real clock, for a back-off's end on the injected one, for news, or for `stop`. */
  async wait(pollMs: number, stop: AbortSignal | undefined): Promise<void> {
    const { backOffs, settings } = this.#parts
    const woken = stop ? AbortSignal.any([this.#mayHaveWork.signal, stop]) : this.#mayHaveWork.signal
    const done = new AbortController()
    const either = AbortSignal.any([woken, done.signal])
    const backOffLeft = backOffs.nextMs()
    const waits = [sleepUnlessAborted(systemClock, pollMs, either)]
    // Back-offs are counted by the injected clock, other processes are watched by the real one.
    if (backOffLeft !== null) waits.push(sleepUnlessAborted(settings.clock, backOffLeft, either))
    try {
      await Promise.race(waits)
    } finally {
      done.abort()
    }
  }

  async #loop(run: Run): Promise<void> {
    const { signals, registry, databaseName, events, pacer } = this.#parts
    const ended = new AbortController()
    const stop = AbortSignal.any([run.stop.signal, ended.signal])
    let failure: UpdaterAbortedError | null = null
    const loops = [
      this.#mainLoop(stop),
      this.#crew.run({
        names: () => registry.names,
        stop,
        cancel: run.cancel.signal,
        rest: (name, batches, lane) => this.#rest(name, stop, batches, lane),
        limitsOf: (name) => pacer.limitsOf(name),
        recover: (error) => this.#recover(error, stop),
      }),
    ]
    await Promise.all(
      loops.map(async (loop) => {
        await loop.catch((error: unknown) => {
          if (error instanceof UpdaterAbortedError) failure = this.#giveUp(error)
          else this.#log('error', error, `the updater ended: ${messageOf(error)}`)
          if (this.#run === run) this.#run = null
          ended.abort()
        })
      }),
    )
    await signals.stop()
    events.emit('updater:stop', { databaseName, error: failure })
  }

  #mainLoop(stop: AbortSignal): Promise<void> {
    const { ready, reporter, registry, pacer, batches, live } = this.#parts
    let announced = false
    return runLoop<string>(
      {
        pick: async () => {
          await ready()
          if (!announced) await reporter.started()
          announced = true
          await live.look()
          return this.#pick(registry.names)
        },
        rest: (name) => this.#rest(name, stop, batches.main),
        batch: async (name) => {
          const paced = pacer.limitsOf(name)
          await this.#oneBatch.run(() => this.#batch(name, registry.names, undefined, paced))
        },
        idle: () => this.#idle(stop),
        recover: (error) => this.#recover(error, stop),
      },
      stop,
    )
  }

  #giveUp(error: UpdaterAbortedError): UpdaterAbortedError {
    if (this.#aborted !== error) this.#log('error', error, error.message)
    this.#aborted = error
    return error
  }

  // `signal` ends a wait for the controller when the loop doesn't run.
  #step(names: readonly string[], signal?: AbortSignal): Promise<string | null> {
    return this.#oneBatch.run(async () => {
      for (;;) {
        await this.#parts.live.look()
        const name = await this.#pick(names)
        if (name === null) return null
        const outcome = await this.#batch(name, names, signal)
        if (outcome !== 'overtaken') return outcome === 'ran' ? name : null
      }
    })
  }

  /** The queue is read before every batch: here, or by the fence of an update that led it and is still ours. */
  async #pick(names: readonly string[]): Promise<string | null> {
    const next = await this.#look.next(names)
    // What can't run now, because it is paused or waits for others, isn't held on to.
    if (next === null) await this.#parts.batches.main.release()
    if (next?.isNew) await this.#parts.reporter.picked(next.row)
    return next?.row.name ?? null
  }

  async #batch(
    name: string,
    names: readonly string[],
    signal?: AbortSignal,
    paced?: BatchLimits,
  ): Promise<BatchOutcome> {
    const definition = this.#parts.registry.get(name)
    if (definition === undefined) return 'not run'
    // A synchronous driver would otherwise keep timers and signals waiting for as long as there is work.
    await yieldToEventLoop()
    const { stop, cancel } = this.#run ?? this.#direct
    // A caller's signal aborts with the stop of his own batches already.
    const stops = signal === undefined ? stop.signal : this.#run ? this.#stopped.of(stop.signal, signal) : signal
    const precedence = this.#look.precedenceOf(name, names)
    try {
      const signals = { stop: stops, cancel: cancel.signal }
      const outcome = await this.#parts.batches.main.run(definition, signals, precedence, paced)
      this.#outages = 0
      if (outcome !== 'ran') this.#look.forget()
      await this.#parts.checkpoints?.afterBatch()
      return outcome
    } catch (error) {
      if (error instanceof UpdaterAbortedError) this.#giveUp(error)
      throw error
    } finally {
      this.#mayHaveWork.ring()
    }
  }

  // With a controller the application does the pacing.
  async #rest(updateName: string, stop: AbortSignal, batches: BatchRunner<Tx>, lane?: number): Promise<Rest> {
    const { pacer, registry, settings, store } = this.#parts
    const definition = registry.get(updateName)
    if (batches.controller || definition === undefined) return 'not needed'
    const { targetMs } = settingsOf(settings, definition)
    const either = this.#interrupted.of(this.#lookAgain.signal, stop)
    // Nobody's work depends on it: a reason that can't be told is told the next time.
    const tell = (text: string, ms: number) => store.tell(updateName, text, ms).catch(() => {})
    const lanes = batches.lanedUpdate === null ? 1 : await this.#liveLanes.count()
    const ofLane = lane === undefined ? {} : { lane }
    const request = { updateName, targetMs, table: definition.table, lanes, ...ofLane, tell }
    const rest = await pacer.rest(request, either)
    // A hold may last for hours: whoever is paused, cancelled or overtaken meanwhile isn't held on to.
    if (rest === 'interrupted' && batches === this.#parts.batches.main) this.#look.forget()
    return rest
  }

  async #idle(stop: AbortSignal): Promise<void> {
    const lookedMs = performance.now()
    // While others of this process work on lanes it isn't idle.
    const { batches, reporter } = this.#parts
    if (!batches.helpers.some((helper) => helper.lanedUpdate !== null)) await reporter.idle()
    // A queue of a million rows that can't run must not be read for ever: the look may cost a twentieth of the time.
    await this.wait(Math.max(this.#parts.settings.pollMs, 20 * (performance.now() - lookedMs)), stop)
    await yieldToEventLoop()
  }

  // Waits for a database that is away; throws what ends the runner.
  async #recover(error: unknown, stop: AbortSignal): Promise<void> {
    if (error instanceof UpdaterAbortedError) throw error
    this.#outages += 1
    const waitMs = backOffMs(this.#outages, this.#parts.random)
    const away = classifyError(error) === 'connection'
    this.#log('warn', error, `${away ? 'the database is away' : "the queue can't be run"}: ${messageOf(error)}`, {
      waitMs,
    })
    // A clock of a test may end its sleeps at once.
    await yieldToEventLoop()
    await sleepUnlessAborted(this.#parts.settings.clock, waitMs, AbortSignal.any([this.#lookAgain.signal, stop]))
  }

  #release(): Promise<void> {
    return this.#oneBatch.run(() => this.#parts.batches.main.release())
  }

  #log(level: 'warn' | 'error', error: unknown, message: string, more: object = {}): void {
    this.#parts.settings.logger[level]({ database: this.#parts.databaseName, error, ...more }, message)
  }
}

/** One run, from start() to stop(). */
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
