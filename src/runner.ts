import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { BatchRunner } from './batch/batch-runner.js'
import { LONGEST_TIMER_MS, sleepUnlessAborted, systemClock } from './clock.js'
import { classifyError } from './databases/error-class.js'
import { UpdaterAbortedError } from './errors.js'
import { Mutex } from './mutex.js'
import type { UpdaterEmitter } from './observe/events.js'
import { fixedPace } from './pacing/fixed-pace.js'
import type { BackOffs } from './queue/back-off.js'
import { backOffMs } from './queue/failure-policy.js'
import { pickNext } from './queue/pick.js'
import type { QueueReporter } from './queue/queue-reporter.js'
import type { QueueStore } from './queue/queue-store.js'
import type { Registry } from './registry.js'
import { runLoop } from './run-loop.js'
import { UpdaterStoppedError, type CompletionSteps } from './run-to-completion.js'
import type { ResolvedSettings } from './settings.js'
import { WakeUp } from './wake-up.js'

export interface RunnerParts<Tx> {
  readonly databaseName: string
  readonly owner: string
  readonly settings: ResolvedSettings
  readonly registry: Registry<Tx>
  readonly store: QueueStore<Tx>
  readonly batches: BatchRunner<Tx>
  readonly backOffs: BackOffs
  readonly reporter: QueueReporter<Tx>
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
  // Invariant: the newest run, until it has stopped; a start() during its stop() makes another that waits for it.
  #run: Run | null = null
  // Batches that a caller runs himself end with it. Invariant: not stopped, or being stopped.
  #direct = newRun()
  #aborted: UpdaterAbortedError | null = null
  // Looks at the queue in a row that failed.
  #outages = 0

  constructor(parts: RunnerParts<Tx>) {
    this.#parts = parts
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
    await this.#release()
  }

  /** Something may have become runnable. */
  mayHaveWork(): void {
    this.#mayHaveWork.ring()
  }

  /** What a pause was for may be over: the loop looks at the queue again. */
  lookAgain(): void {
    this.#lookAgain.ring()
    this.#mayHaveWork.ring()
  }

  /** One batch now, without a pause; the name of its update, or null when none can run. */
  async runNext(): Promise<string | null> {
    const ran = await this.#step(this.#parts.registry.names)
    // Nobody says when the next call comes: others may go on meanwhile.
    if (!this.#run) await this.#release()
    return ran
  }

  /** Hands the steps of runToCompletion() to `work`, and a signal that also aborts when the updater stops. */
  async complete<T>(
    signal: AbortSignal | undefined,
    work: (steps: CompletionSteps, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#aborted = null
    const { names } = this.#parts.registry
    const stopped = this.#direct.stop.signal
    const either = signal ? AbortSignal.any([signal, stopped]) : stopped
    const steps: CompletionSteps = {
      step: async (wanted) => {
        const among = wanted === null ? names : names.filter((name) => wanted.has(name))
        return (await this.#step(among, either)) !== null
      },
      idle: () => this.#idle(either),
      // Somebody waits for the end: an error that doesn't pass by itself is theirs.
      recover: async (error) => {
        if (classifyError(error) !== 'connection') throw error
        await this.#recover(error, either)
      },
    }
    try {
      return await work(steps, either)
    } finally {
      if (!this.#run) await this.#release()
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
    const { ready, reporter, registry, databaseName, events } = this.#parts
    const stop = run.stop.signal
    let failure: UpdaterAbortedError | null = null
    let announced = false
    try {
      await runLoop<string>(
        {
          pick: async () => {
            await ready()
            if (!announced) await reporter.started()
            announced = true
            return this.#pick(registry.names)
          },
          rest: (name) => this.#rest(name, stop),
          batch: async (name) => {
            await this.#oneBatch.run(() => this.#batch(name))
          },
          idle: () => this.#idle(stop),
          recover: (error) => this.#recover(error, stop),
        },
        stop,
      )
    } catch (error) {
      failure = error instanceof UpdaterAbortedError ? error : null
      if (!failure) this.#log('error', error, `the updater ended: ${messageOf(error)}`)
      if (this.#run === run) this.#run = null
    }
    events.emit('updater:stop', { databaseName, error: failure })
  }

  // `signal` ends a wait for the controller when the loop doesn't run.
  #step(names: readonly string[], signal?: AbortSignal): Promise<string | null> {
    return this.#oneBatch.run(async () => {
      const name = await this.#pick(names)
      return name !== null && (await this.#batch(name, signal)) ? name : null
    })
  }

  async #pick(names: readonly string[]): Promise<string | null> {
    const { store, owner, backOffs, reporter } = this.#parts
    const row = await pickNext(store, {
      owner,
      names,
      backOffPassed: (name, retryAt) => backOffs.hasPassed(name, retryAt),
      isHeldBack: (name, attempts) => backOffs.isHeldBack(name, attempts),
    })
    if (row !== null) await reporter.picked(row)
    return row?.name ?? null
  }

  // True when a batch ran, committed or not.
  async #batch(name: string, signal?: AbortSignal): Promise<boolean> {
    const definition = this.#parts.registry.get(name)
    if (definition === undefined) return false
    // A synchronous driver would otherwise keep timers and signals waiting for as long as there is work.
    await yieldToEventLoop()
    const { stop, cancel } = this.#run ?? this.#direct
    const stops = signal ? AbortSignal.any([stop.signal, signal]) : stop.signal
    try {
      const ran = await this.#parts.batches.run(definition, { stop: stops, cancel: cancel.signal })
      this.#outages = 0
      return ran
    } catch (error) {
      if (error instanceof UpdaterAbortedError) {
        this.#aborted = error
        this.#log('error', error, error.message)
      }
      throw error
    } finally {
      this.#mayHaveWork.ring()
    }
  }

  // With a controller the application does the pacing.
  async #rest(updateName: string, stop: AbortSignal): Promise<'not needed' | 'rested' | 'interrupted'> {
    const { batches, settings, events, databaseName } = this.#parts
    if (batches.controller) return 'not needed'
    const pause = (settings.pace ?? DEFAULT_PACE).beforeBatch({ updateName })
    if (pause.ms <= 0) return 'not needed'
    const signal = AbortSignal.any([this.#lookAgain.signal, stop])
    events.emit('pace:change', { databaseName, pauseMs: pause.ms, why: pause.why })
    await sleepUnlessAborted(settings.clock, pause.ms, signal)
    return signal.aborted ? 'interrupted' : 'rested'
  }

  async #idle(stop: AbortSignal): Promise<void> {
    const lookedMs = performance.now()
    await this.#parts.reporter.idle()
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
    return this.#oneBatch.run(() => this.#parts.batches.release())
  }

  #log(level: 'warn' | 'error', error: unknown, message: string, more: object = {}): void {
    this.#parts.settings.logger[level]({ database: this.#parts.databaseName, error, ...more }, message)
  }
}

const DEFAULT_PACE = fixedPace()

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
