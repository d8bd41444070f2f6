import type { LaneStore } from './queue/lane-store.js'

const KNOWN_FOR_MS = 1_000

/** How many batches may be under way on the database at the same time, over all processes: asked at most once a second. */
export class LiveLanes {
  readonly #store: Pick<LaneStore, 'liveLeases'>
  #known = 1
  #askedMs = -Infinity

  constructor(store: Pick<LaneStore, 'liveLeases'>) {
    this.#store = store
  }

  async count(): Promise<number> {
    // On the real clock, as the leases are.
    const nowMs = performance.now()
    if (nowMs - this.#askedMs < KNOWN_FOR_MS) return this.#known
    this.#askedMs = nowMs
    this.#known = await this.#store.liveLeases()
    return this.#known
  }
}
