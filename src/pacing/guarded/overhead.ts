const KEPT = 5

/** The fixed part of a batch: the median of the last few, for one slow COMMIT says nothing about the next. */
export class Overhead {
  /** At most five finite values ≥ 0 in ms, oldest first. */
  #recent: readonly number[]

  constructor(recent: readonly number[] = []) {
    this.#recent = recent.slice(-KEPT)
  }

  add(ms: number): void {
    this.#recent = [...this.#recent, ms].slice(-KEPT)
  }

  /** The expected overhead of the next batch, in ms; 0 when nothing was measured. */
  get ms(): number {
    const sorted = [...this.#recent].sort((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? 0
  }

  get recent(): readonly number[] {
    return this.#recent
  }
}

/**
 * How long the rows of a batch may take so that the whole batch takes `aimMs`.
 *
 * Where the fixed part alone reaches the target, nothing can keep to it any more, and batches that do next to nothing
 * would only make it worse: then the rows get as much time as the fixed part. The share rises smoothly towards that.
 */
export function timeForItems(aimMs: number, targetMs: number, fixedMs: number): number {
  return Math.max(aimMs - fixedMs, fixedMs * Math.min(1, fixedMs / targetMs))
}
