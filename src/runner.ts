import { classifyError } from './databases/error-class.js'
import { LONGEST_TIMER_MS } from './clock.js'
import { UpdaterAbortedError } from './errors.js'
import { LaneCrew } from './lane-crew.js'
import type { UpdaterEmitter } from './observe/events.js'
import { runLoop } from './run-loop.js'
import { RunSteps, type RunStepsParts } from './run-steps.js'
import { UpdaterStoppedError, type CompletionSteps } from './run-to-completion.js'
import type { SignalSampler } from './signals/sampler.js'
import { messageOf } from './thrown.js'
import { underAny } from './under-any.js'
import { WakeUp } from './wake-up.js'

export interface RunnerParts<Tx> extends RunStepsParts<Tx> {
  readonly signals: SignalSampler<Tx>
  readonly events: UpdaterEmitter
  /** Throws unless the updates fit this database and our tables are there. */
  readonly ready: () => Promise<void>
}

/** The life of a process's runs: the loop with its helpers, single batches, a queue run to its end; starts and stops. */
export class Runner<Tx> {
  readonly #parts: RunnerParts<Tx>
  readonly #steps: RunSteps<Tx>
  readonly #crew: LaneCrew<Tx>
  // Ends the helpers' work for a runToCompletion(): it may wait for hours for what nobody can run here.
  readonly #loopBegins = new WakeUp()
  // Invariant: the newest run, until it has stopped; a start() during its stop() makes another that waits for it.
  #run: Run | null = null
  // Batches that a caller runs himself end with it. Invariant: not stopped, or being stopped.
  #direct = newRun()
  #aborted: UpdaterAbortedError | null = null

  constructor(parts: RunnerParts<Tx>) {
    this.#parts = parts
    const { batches } = parts
    this.#steps = new RunSteps(parts)
    this.#crew = new LaneCrew({
      ...parts,
      holdsLaneOf: (updateName) => batches.holdsLaneOf(updateName),
      helpers: batches.helpers,
      onLaneLeft: () => this.#steps.mayHaveWork(),
    })
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
      this.#logError(error, `the updater did not start: ${messageOf(error)}`)
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
    await this.#steps.release()
    await this.#parts.checkpoints?.end()
  }

  /** Something may have become runnable. */
  mayHaveWork(): void {
    this.#steps.mayHaveWork()
    this.#crew.moreLanes()
  }

  /** What a pause was for may be over: the loop looks at the queue again. */
  lookAgain(): void {
    this.#steps.lookAgain()
    this.mayHaveWork()
  }

  /** One batch now, without a pause; the name of its update, or null when none can run. */
  async runNext(): Promise<string | null> {
    try {
      return await this.#one(this.#parts.registry.names)
    } finally {
      // Nobody says when the next call comes: others may go on meanwhile.
      if (!this.#run) await this.#steps.release()
    }
  }

  /** Hands the steps of runToCompletion() to `work`, and a signal that also aborts when the updater stops. */
  complete<T>(
    signal: AbortSignal | undefined,
    work: (steps: CompletionSteps, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#aborted = null
    const helpersEnded = new AbortController()
    const given = [this.#direct.stop.signal, helpersEnded.signal, ...(signal ? [signal] : [])]
    return underAny(given, (either) => this.#complete(either, helpersEnded, work))
  }

  async #complete<T>(
    either: AbortSignal,
    helpersEnded: AbortController,
    work: (steps: CompletionSteps, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { names } = this.#parts.registry
    const { cancel } = this.#direct
    let among: readonly string[] = []
    const steps: CompletionSteps = {
      step: async (wanted) => {
        among = wanted === null ? names : names.filter((name) => wanted.has(name))
        return (await this.#one(among, either)) !== null
      },
      idle: () => this.#steps.idle(either),
      // Somebody waits for the end: an error that doesn't pass by itself is theirs.
      recover: async (error) => {
        if (!['connection', 'lock'].includes(classifyError(error))) throw error
        await this.#steps.recover(error, either)
      },
    }
    const done = new AbortController()
    // While the loop runs its helpers do, at its pace.
    const helped = this.#run
      ? Promise.resolve()
      : underAny([either, done.signal, this.#loopBegins.signal], (stop) =>
          this.#crew.run({
            names: () => among,
            stop,
            cancel: cancel.signal,
            rest: async () => 'not needed',
            limitsOf: () => ({}),
            recover: (error) => steps.recover(error),
          }),
        )
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
        await this.#steps.release()
        await this.#parts.checkpoints?.end()
      }
    }
  }

  /** See `RunSteps.wait`. */
  wait(pollMs: number, stop: AbortSignal | undefined): Promise<void> {
    return this.#steps.wait(pollMs, stop)
  }

  async #loop(run: Run): Promise<void> {
    const { signals, registry, databaseName, events, pacer } = this.#parts
    const ended = new AbortController()
    const stop = AbortSignal.any([run.stop.signal, ended.signal])
    let failure: UpdaterAbortedError | null = null
    this.#loopBegins.ring()
    const loops = [
      this.#mainLoop(run, stop),
      this.#crew.run({
        names: () => registry.names,
        stop,
        cancel: run.cancel.signal,
        rest: (name, batches, lane) => this.#steps.rest(name, stop, batches, lane),
        limitsOf: (name) => pacer.limitsOf(name),
        recover: (error) => this.#steps.recover(error, stop),
      }),
    ]
    await Promise.all(
      loops.map(async (loop) => {
        await loop.catch((error: unknown) => {
          if (error instanceof UpdaterAbortedError) failure = this.#giveUp(error)
          else this.#logError(error, `the updater ended: ${messageOf(error)}`)
          if (this.#run === run) this.#run = null
          ended.abort()
        })
      }),
    )
    await signals.stop()
    events.emit('updater:stop', { databaseName, error: failure })
  }

  #mainLoop(run: Run, stop: AbortSignal): Promise<void> {
    const { ready, reporter, registry, batches } = this.#parts
    const steps = this.#steps
    const signals = { stop, cancel: run.cancel.signal }
    let announced = false
    return runLoop<string>(
      {
        pick: async () => {
          await ready()
          if (!announced) await reporter.started()
          announced = true
          return steps.pick(registry.names)
        },
        rest: (name) => steps.rest(name, stop, batches.main),
        batch: (name) => steps.batch(name, registry.names, signals),
        idle: () => steps.idle(stop),
        recover: (error) => steps.recover(error, stop),
      },
      stop,
    )
  }

  // `signal` aborts with the stop of the caller's own batches already; it also ends a wait for the controller.
  async #one(names: readonly string[], signal?: AbortSignal): Promise<string | null> {
    const signals = () => {
      const { stop, cancel } = this.#run ?? this.#direct
      const callers = signal === undefined ? [] : [signal]
      const stops = signal === undefined || this.#run ? [stop.signal, ...callers] : callers
      return { stops, cancel: cancel.signal }
    }
    try {
      return await this.#steps.one(names, signals)
    } catch (error) {
      if (error instanceof UpdaterAbortedError) this.#giveUp(error)
      throw error
    }
  }

  #giveUp(error: UpdaterAbortedError): UpdaterAbortedError {
    if (this.#aborted !== error) this.#logError(error, error.message)
    this.#aborted = error
    return error
  }

  #logError(error: unknown, message: string): void {
    this.#parts.settings.logger.error({ database: this.#parts.databaseName, error }, message)
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
