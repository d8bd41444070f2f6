import { databaseErrorCode } from '../databases/error-class.js'
import type { Logger } from '../observe/logger.js'
import type { Reading, SignalSample } from '../pacing/reading.js'
import { afterFailure, afterSample } from './next-reading.js'
import type { OwnWork } from './own-work.js'
import type { Sample, Signal, SignalContext } from './signal.js'
import { messageOf } from '../thrown.js'

// A signal that never could be read is asked again ever more rarely: rights may be granted meanwhile.
const LONGEST_INTERVAL_MS = 60_000
const SECOND_LOOK_MS = 100

/** One signal while it is being sampled: its newest reading, and when it is due again. */
export class TrackedSignal {
  readonly signal: Signal
  readonly #sample: Sample
  #reading: Reading | null = null
  // The sample that hasn't settled yet, though nobody may be waiting for it any more; or null.
  #underWay: Promise<unknown> | null = null
  /** On the monotonic system clock, whatever clock the pace has. */
  #dueMs = 0
  // Samples in a row that told nothing.
  #failures = 0
  // The reason that was logged last; null while it can be read.
  #said: string | null = null
  readonly #log: Logger
  readonly #databaseName: string

  constructor(signal: Signal, own: OwnWork, log: Logger, databaseName: string) {
    this.signal = signal
    this.#sample = signal.open(own)
    this.#log = log
    this.#databaseName = databaseName
  }

  /** Null before the first. */
  get reading(): Reading | null {
    return this.#reading
  }

  get dueMs(): number {
    return this.#dueMs
  }

  /** The last sample is still under way, beyond its time: there are never two. */
  get underWay(): boolean {
    return this.#underWay !== null
  }

  async ask(context: SignalContext): Promise<SignalSample | null> {
    const sampled = (async () => this.#sample(context))()
    this.#underWay = sampled
    try {
      return await sampled
    } finally {
      this.#underWay = null
    }
  }

  /** It is asked now: sets when it is due again. */
  begins(systemMs: number): void {
    const rarer = this.#wasRead ? 1 : 2 ** Math.min(this.#failures, 20)
    const { intervalMs } = this.signal
    this.#dueMs = systemMs + Math.max(intervalMs, Math.min(intervalMs * rarer, LONGEST_INTERVAL_MS))
  }

  found(sample: SignalSample | null, nowMs: number): void {
    // It needs another look to tell anything: that one isn't far away, for somebody waits for it.
    if (sample === null && this.#reading === null) {
      const { secondLookMs = SECOND_LOOK_MS } = this.signal
      this.#dueMs = Math.min(this.#dueMs, performance.now() + secondLookMs)
    }
    this.#reading = afterSample(this.signal, this.#reading, sample, nowMs)
    if (sample?.verdict === 'unknown') return this.#tellsNothing(sample.why)
    this.#failures = 0
    this.#said = null
  }

  failed(error: unknown, nowMs: number): void {
    const code = databaseErrorCode(error)
    const message = messageOf(error)
    this.#reading = afterFailure(this.signal, this.#reading, code === null ? message : `${message} (${code})`, nowMs)
    this.#tellsNothing(message)
  }

  // Said once, not once a sample. Somebody should know of a hard stop that was there and is gone.
  #tellsNothing(why: string): void {
    this.#failures += 1
    if (this.#said !== null) return
    this.#said = why
    const { name, kind } = this.signal
    const level = kind === 'hard stop' && this.#wasRead ? 'warn' : 'info'
    this.#log[level]({ database: this.#databaseName, signal: name }, `signal "${name}" tells nothing: ${why}`)
  }

  get #wasRead(): boolean {
    return this.#reading !== null && this.#reading.lastReadMs !== null
  }
}
