import { sleepUnlessAborted, type Clock } from './clock.js'
import type { Dialect } from './databases/database.js'
import type { TableName } from './databases/identifier.js'
import type { UpdaterEmitter } from './observe/events.js'
import { WaitingTime } from './pacing/waiting-time.js'
import type { AdaptivePace, AdaptivePaceOptions } from './pacing/adaptive-pace.js'
import { LimitedPace, type PaceLimits } from './pacing/limited-pace.js'
import type { BatchLimits, Pace, PaceExplanation, PaceSample, Pause } from './pacing/pace.js'
import type { Reading } from './pacing/reading.js'
import type { Waiting } from './queue/reasons.js'
import type { Rest } from './run-loop.js'

/** What the pace is told of the database. */
export interface SignalSource {
  /** Names of the signals that are configured. */
  readonly names: readonly string[]
  /** Begins to measure, and soon has looked once; in any case while somebody asks from time to time. */
  awake(table: TableName | null, stop: AbortSignal): Promise<void>
  /** The newest reading of each. */
  readings(): readonly Reading[]
}

export interface PacerParts {
  readonly databaseName: string
  readonly dialect: Dialect
  readonly pace: Pace
  readonly limits: PaceLimits
  readonly clock: Clock
  /** Wall-clock time. */
  readonly epochMs: () => number
  readonly events: UpdaterEmitter
  readonly signals: SignalSource
}

/** Who wants to start a batch. */
export interface RestRequest {
  readonly updateName: string
  /** The update's own target, in ms. */
  readonly targetMs: number
  /** The table that it works on. Default: unknown. */
  readonly table?: TableName
  /** Batches that may be under way at the same time on this database. */
  readonly lanes: number
  /** Tells other processes why it is about to wait, and for how many ms. */
  readonly tell?: (text: string, ms: number) => Promise<void>
  /** Which of this process's lanes asks. Default 0. */
  readonly lane?: number
}

/** What is worth showing: shorter pauses belong to every batch. */
const SHOWN_FROM_MS = 5
/** A pause of this length is told to other processes before it begins. */
const TOLD_FROM_MS = 500
/** A pause is shown for so long after its end, so that the batch after it doesn't make the status flicker. */
const SHOWN_AFTER_MS = 1_000

/** Asks the pace before every batch, does the waiting, and knows what is waited for. */
export class Pacer {
  readonly #parts: PacerParts
  readonly #pace: LimitedPace
  readonly #waited = new WaitingTime()
  // The last pause of each update and when it ends by the clock; gone when a batch may start at once.
  readonly #throttled = new Map<string, { readonly waiting: Waiting; readonly untilMs: number }>()
  // What the pace allows the next batch of each update.
  readonly #limits = new Map<string, BatchLimits>()

  constructor(parts: PacerParts) {
    this.#parts = parts
    this.#pace = new LimitedPace(parts.pace, parts.limits)
  }

  /** Waits before a batch, as long as the pace says, or until `signal` aborts. */
  async rest(request: RestRequest, signal: AbortSignal): Promise<Rest> {
    const { signals } = this.#parts
    if (!this.#pace.ignoresSignals) await signals.awake(request.table ?? null, signal)
    const pause = this.#ask(request)
    const { updateName } = request
    const words = pause.ms < SHOWN_FROM_MS ? null : this.#words(pause)
    this.#limits.set(updateName, words === null ? pause : { ...pause, waitingText: words.text })
    if (words === null) this.#throttled.delete(updateName)
    if (pause.ms <= 0) return 'not needed'
    const { clock, databaseName, events } = this.#parts
    const reason = pause.reason ?? 'duty'
    const startedMs = clock.nowMs()
    if (words !== null) this.#throttled.set(updateName, { waiting: words, untilMs: startedMs + pause.ms })
    // Shorter pauses are told by the batch behind them.
    if (words !== null && pause.ms >= TOLD_FROM_MS) await request.tell?.(words.text, pause.ms + SHOWN_AFTER_MS)
    events.emit('pace:change', { databaseName, updateName, pauseMs: pause.ms, reason, why: pause.why })
    await sleepUnlessAborted(clock, pause.ms, signal)
    this.#waited.add(reason, clock.nowMs() - startedMs)
    // Somebody switched something off or stops: what was waited for may not be why it waits now.
    if (signal.aborted) this.#throttled.delete(updateName)
    return signal.aborted || pause.again === true ? 'interrupted' : 'rested'
  }

  /** What the pace said last of the next batch of an update. */
  limitsOf(updateName: string): BatchLimits {
    return this.#limits.get(updateName) ?? {}
  }

  afterBatch(sample: Omit<PaceSample, 'nowMs'>): void {
    this.#pace.afterBatch({ ...sample, nowMs: this.#parts.clock.nowMs() })
  }

  /** Takes up knobs and limits that were changed. */
  turn(knobs: AdaptivePaceOptions, limits: PaceLimits): void {
    const { pace } = this.#parts
    if ('turn' in pace) (pace as AdaptivePace).turn(knobs)
    this.#pace.limit(limits)
  }

  /** Updates that the pace holds back now, and why. */
  waiting(): Map<string, Waiting> {
    const nowMs = this.#parts.clock.nowMs()
    const shown = [...this.#throttled].filter(([, { untilMs }]) => nowMs < untilMs + SHOWN_AFTER_MS)
    return new Map(shown.map(([name, { waiting }]) => [name, waiting]))
  }

  /** What the pace is at and how it came there. */
  explain(): PaceExplanation {
    return this.#pace.explain()
  }

  /** Seconds that were waited in this process, by reason. */
  waitedSeconds(): Record<string, number> {
    return this.#waited.seconds()
  }

  #ask({ updateName, targetMs, lanes, lane }: RestRequest): Pause {
    const { clock, epochMs, dialect, signals } = this.#parts
    return this.#pace.beforeBatch({
      updateName,
      nowMs: clock.nowMs(),
      epochMs: epochMs(),
      targetMs,
      readings: signals.readings(),
      signals: signals.names,
      lanes,
      ...(lane === undefined ? {} : { lane }),
      dialect,
    })
  }

  #words({ ms, why, again }: Pause): Waiting {
    const until = again ? `; looks again at ${new Date(this.#parts.epochMs() + ms).toISOString()}` : ''
    return { code: 'throttled', text: `${why}${until}` }
  }
}
