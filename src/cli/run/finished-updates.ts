import type { HistoryEntry } from '../../queue/history.js'
import type { BackgroundUpdater } from '../../updater.js'

/** Tells which updates have left the queue since the last look, and how, whoever ran them. */
export class FinishedUpdates {
  readonly #updater: BackgroundUpdater<never>
  // Invariant: the newest entry of the history that was told of, or was there before the run.
  #newest: number | null = null

  constructor(updater: BackgroundUpdater<never>) {
    this.#updater = updater
  }

  /** Oldest first. The first look tells of nothing: what is there ended before the run. */
  async since(): Promise<HistoryEntry[]> {
    const newest = this.#newest
    const entries = await this.#updater.history({ limit: newest === null ? 1 : 50 })
    this.#newest = entries[0]?.id ?? newest ?? 0
    if (newest === null) return []
    return entries.filter(({ id }) => id > newest).reverse()
  }
}
