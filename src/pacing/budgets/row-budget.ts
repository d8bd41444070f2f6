import type { PaceContext, PaceSample, Pause } from '../pace.js'

/**
 * Items a second: after a batch of k items the next one starts k/rate seconds after its start, so that from the start of
 * any batch to that of any later one there are no more than the rate allows (the generic cell rate algorithm without a
 * burst). Each of n lanes has an n-th of it.
 */
export class RowBudget {
  readonly perSecond: number
  /** When the items of each lane so far are paid for, by the monotonic clock in ms. */
  readonly #paidMs = new Map<number, number>()
  /** Lanes at the last look. */
  #lanes = 1

  constructor(perSecond: number) {
    this.perSecond = perSecond
  }

  beforeBatch({ nowMs, lanes, lane = 0 }: PaceContext): Pause {
    this.#lanes = lanes
    const ms = Math.max(0, (this.#paidMs.get(lane) ?? nowMs) - nowMs)
    const maxItems = Math.max(1, Math.floor(this.#laneRate()))
    return { ms, maxItems, reason: 'row budget', why: `the budget is ${this.perSecond} rows a second` }
  }

  afterBatch({ nowMs, durationMs, items, lane = 0 }: PaceSample): void {
    const startMs = Math.max(this.#paidMs.get(lane) ?? Number.NEGATIVE_INFINITY, nowMs - durationMs)
    this.#paidMs.set(lane, startMs + (items / this.#laneRate()) * 1_000)
  }

  #laneRate(): number {
    return this.perSecond / this.#lanes
  }
}
