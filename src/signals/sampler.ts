import { setTimeout as delay } from 'node:timers/promises'
import { sleepUnlessAborted, systemClock } from '../clock.js'
import type { TableName } from '../databases/identifier.js'
import type { Reading } from '../pacing/reading.js'
import { underAny } from '../under-any.js'
import { Sampling, type SamplerParts } from './sampling.js'

// Nothing is measured for nobody: this long after the pace last wanted to know, in ms.
const LINGER_MS = 15_000
// How long the first batch waits for the first readings, in ms.
const FIRST_LOOK_MS = 2_000
// How long stop() waits for a sample that doesn't obey its cancel, in ms.
const STOP_MS = 2_000

/**
 * Asks the signals of one database in the background, each at its own interval, while the pace wants to know. A signal
 * that fails or hangs hurts nobody: the others go on, and no batch waits for any of them.
 */
export class SignalSampler<Tx> {
  readonly #parts: SamplerParts<Tx>
  // Invariant: at most one runs; the one before it has ended.
  #sampling: Sampling<Tx> | null = null
  #readings: readonly Reading[] = []
  // Settles when nothing of a former run is under way any more; it never rejects.
  #ended: Promise<unknown> = Promise.resolve()

  constructor(parts: SamplerParts<Tx>) {
    this.#parts = parts
  }

  /** Names of all signals, read already or not. */
  get names(): readonly string[] {
    return this.#parts.signals.map(({ name }) => name)
  }

  /** The newest readings; empty before the first. */
  readonly readings = (): readonly Reading[] => this.#sampling?.readings() ?? this.#readings

  /**
   * The pace is about to ask. Begins to sample unless that is under way, and then resolves when every signal was asked
   * once, but soon in any case.
   */
  async awake(table: TableName | null, stop: AbortSignal): Promise<void> {
    if (this.#parts.signals.length === 0) return
    const sampling = this.#sampling ?? this.#begin()
    sampling.wanted(table, LINGER_MS)
    // Asked before every batch, and mostly there is nothing to wait for.
    if (sampling.hasLooked) return
    const done = new AbortController()
    await underAny([stop, done.signal], async (signal) => {
      await Promise.race([sampling.firstLook, sleepUnlessAborted(systemClock, FIRST_LOOK_MS, signal)])
      done.abort()
    })
  }

  /** Ends every sample. When it resolves, no timer is left, and no connection but one that can't be cancelled. */
  async stop(): Promise<void> {
    this.#sampling?.end()
    const done = new AbortController()
    const patience = delay(STOP_MS, undefined, { signal: done.signal }).catch(() => {})
    await Promise.race([this.#ended, patience])
    done.abort()
  }

  #begin(): Sampling<Tx> {
    const sampling = new Sampling(this.#parts)
    this.#sampling = sampling
    this.#ended = this.#ended
      .then(() => sampling.run())
      .finally(() => {
        this.#readings = sampling.readings()
        if (this.#sampling === sampling) this.#sampling = null
      })
    return sampling
  }
}
