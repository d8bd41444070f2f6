import type { HistoryEntry } from '../../queue/history.js'
import type { BackgroundUpdater } from '../../updater.js'

const PAGE = 50

/** Tells which updates have left the queue since the last look, and how, whoever ran them. */
export class FinishedUpdates {
  readonly #updater: BackgroundUpdater<never>
  // Invariant: the newest entry of the history that was read; null before the first look.
  #newest: number | null = null
  // What was read and not told yet, oldest first.
  #untold: HistoryEntry[] = []

  constructor(updater: BackgroundUpdater<never>) {
    this.#updater = updater
  }

  /** Reads on. The first look brings nothing: what is there ended before the run. */
  async look(): Promise<void> {
    const newest = this.#newest
    const entries = await this.#updater.history({ limit: newest === null ? 1 : PAGE })
    this.#newest = entries[0]?.id ?? newest ?? 0
    if (newest === null) return
    this.#untold.push(...entries.filter(({ id }) => id > newest).reverse())
  }

  /** What ended up to and with `name`, or all of it; each is told once. */
  take(name?: string): HistoryEntry[] {
    const last = name === undefined ? this.#untold.length - 1 : this.#untold.findIndex((entry) => entry.name === name)
    return this.#untold.splice(0, last + 1)
  }
}
