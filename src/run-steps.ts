import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { BatchOutcome, BatchRunner } from './batch/batch-runner.js'
import type { BatchRunners } from './batch/batch-runners.js'
import { sleepUnlessAborted, systemClock } from './clock.js'
import { classifyError } from './databases/error-class.js'
import type { WalCheckpoints } from './databases/wal-checkpoints.js'
import { EitherSignal } from './either-signal.js'
import { UpdaterAbortedError } from './errors.js'
import type { LiveSettings } from './live/live-settings.js'
import { LiveLanes } from './live-lanes.js'
import { Mutex } from './mutex.js'
import type { Pacer } from './pacer.js'
import type { BatchLimits } from './pacing/pace.js'
import type { BackOffs } from './queue/back-off.js'
import { backOffMs } from './queue/failure-policy.js'
import type { QueueReporter } from './queue/queue-reporter.js'
import type { QueueStore } from './queue/queue-store.js'
import { QueueLook } from './queue-look.js'
import type { Registry } from './registry.js'
import type { Rest } from './run-loop.js'
import { settingsOf, type ResolvedSettings } from './settings.js'
import { messageOf } from './thrown.js'
import { underAny } from './under-any.js'
import { WakeUp } from './wake-up.js'

export interface RunStepsParts<Tx> {
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
  /** Between batches on SQLite. */
  readonly checkpoints: WalCheckpoints<Tx> | null
  /** From 0 to 1, for the jitter of back-offs. */
  readonly random: () => number
}

const SHARED_TURN_MS = 1

/** What ends a batch: `stop` after it, `cancel` in the middle of it. */
export interface BatchSignals {
  readonly stop: AbortSignal
  readonly cancel: AbortSignal
}

/** The same for a batch that several may end. */
export interface CallersSignals {
  readonly stops: readonly AbortSignal[]
  readonly cancel: AbortSignal
}

/** The steps of this process's main loop: picks, pauses, runs a batch, waits, and sits out a database that is away. */
export class RunSteps<Tx> {
  readonly #parts: RunStepsParts<Tx>
  // One batch at a time, whether the loop or a caller asked for it.
  readonly #oneBatch = new Mutex()
  // Ends an idle wait because there may be work; ends a pause because somebody wants the loop to look again.
  readonly #mayHaveWork = new WakeUp()
  readonly #lookAgain = new WakeUp()
  readonly #interrupted = new EitherSignal()
  readonly #look: QueueLook<Tx>
  readonly #liveLanes: LiveLanes
  // When the event loop last had its turn before a batch.
  #yieldedMs = Number.NEGATIVE_INFINITY
  // Looks at the queue in a row that failed.
  #outages = 0

  constructor(parts: RunStepsParts<Tx>) {
    this.#parts = parts
    const { batches } = parts
    this.#look = new QueueLook({
      ...parts,
      batches: batches.main,
      holdsLaneOf: (updateName) => batches.holdsLaneOf(updateName),
    })
    this.#liveLanes = new LiveLanes(parts.store.lanes)
  }

  /** Ends an idle wait: something may have become runnable. */
  mayHaveWork(): void {
    this.#mayHaveWork.ring()
  }

  /** Ends a pause: what it was for may be over. */
  lookAgain(): void {
    this.#lookAgain.ring()
  }

  /** Waits for `pollMs` on the real clock, for a back-off's end on the injected one, for news, or for `stop`. */
  async wait(pollMs: number, stop: AbortSignal | undefined): Promise<void> {
    const { backOffs, settings } = this.#parts
    const done = new AbortController()
    await underAny([this.#mayHaveWork.signal, done.signal, ...(stop ? [stop] : [])], async (either) => {
      const backOffLeft = backOffs.nextMs()
      const waits = [sleepUnlessAborted(systemClock, pollMs, either)]
      // Back-offs are counted by the injected clock, other processes are watched by the real one.
      if (backOffLeft !== null) waits.push(sleepUnlessAborted(settings.clock, backOffLeft, either))
      try {
        await Promise.race(waits)
      } finally {
        done.abort()
      }
    })
  }

  /** One batch of the first runnable update among `names`, without a pause; its name, or null when none can run. */
  one(names: readonly string[], signals: () => CallersSignals): Promise<string | null> {
    return this.#oneBatch.run(async () => {
      for (;;) {
        const name = await this.pick(names)
        if (name === null) return null
        const { stops, cancel } = signals()
        const outcome = await underAny(stops, (stop) => this.#batch(name, names, { stop, cancel }))
        if (outcome !== 'overtaken') return outcome === 'ran' ? name : null
      }
    })
  }

  /** The queue is read before every batch: here, or by the fence of an update that led it and is still ours. */
  async pick(names: readonly string[]): Promise<string | null> {
    await this.#parts.live.look()
    const next = await this.#look.next(names)
    // What can't run now, because it is paused or waits for others, isn't held on to.
    if (next === null) await this.#parts.batches.main.release()
    if (next?.isNew) await this.#parts.reporter.picked(next.row)
    return next?.row.name ?? null
  }

  /** A batch of what was picked among `names`, after its pause. */
  async batch(name: string, names: readonly string[], signals: BatchSignals): Promise<void> {
    const paced = this.#parts.pacer.limitsOf(name)
    await this.#oneBatch.run(() => this.#batch(name, names, signals, paced))
  }

  async #batch(
    name: string,
    names: readonly string[],
    signals: BatchSignals,
    paced?: BatchLimits,
  ): Promise<BatchOutcome> {
    const definition = this.#parts.registry.get(name)
    if (definition === undefined) return 'not run'
    await this.#letOthersRun()
    const precedence = this.#look.precedenceOf(name, names)
    try {
      const outcome = await this.#parts.batches.main.run(definition, signals, precedence, paced)
      this.#outages = 0
      if (outcome !== 'ran') this.#look.forget()
      await this.#parts.checkpoints?.afterBatch()
      return outcome
    } finally {
      this.#mayHaveWork.ring()
    }
  }

  // A synchronous driver would otherwise keep timers and signals waiting for as long as there is work. Batches that take
  // next to nothing share a turn of the event loop: it costs a tenth of them.
  async #letOthersRun(): Promise<void> {
    if (performance.now() - this.#yieldedMs < SHARED_TURN_MS) return
    await yieldToEventLoop()
    this.#yieldedMs = performance.now()
  }

  /** The pause before a batch. With a controller the application does the pacing. */
  async rest(updateName: string, stop: AbortSignal, batches: BatchRunner<Tx>, lane?: number): Promise<Rest> {
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

  /** Waits until something may have become runnable, or for `stop`. */
  async idle(stop: AbortSignal): Promise<void> {
    const lookedMs = performance.now()
    // While others of this process work on lanes it isn't idle.
    const { batches, reporter } = this.#parts
    if (!batches.helpers.some((helper) => helper.lanedUpdate !== null)) await reporter.idle()
    // A queue of a million rows that can't run must not be read for ever: the look may cost a twentieth of the time.
    await this.wait(Math.max(this.#parts.settings.pollMs, 20 * (performance.now() - lookedMs)), stop)
    await yieldToEventLoop()
  }

  /** Waits for a database that is away, or a queue that can't be read; throws what ends the runner. */
  async recover(error: unknown, stop: AbortSignal): Promise<void> {
    if (error instanceof UpdaterAbortedError) throw error
    this.#outages += 1
    const waitMs = backOffMs(this.#outages, this.#parts.random)
    const away = classifyError(error) === 'connection'
    const what = away ? 'the database is away' : "the queue can't be run"
    const { databaseName, settings } = this.#parts
    settings.logger.warn({ database: databaseName, error, waitMs }, `${what}: ${messageOf(error)}`)
    // A clock of a test may end its sleeps at once.
    await yieldToEventLoop()
    await underAny([this.#lookAgain.signal, stop], (either) => sleepUnlessAborted(settings.clock, waitMs, either))
  }

  /** Lets go of the lease, after the running batch: others may go on. */
  release(): Promise<void> {
    return this.#oneBatch.run(() => this.#parts.batches.main.release())
  }
}
