import type { TunerDecision } from './tuner.js'

/** The last decisions of a tuner, oldest first: bounded, for an update may run for a million batches. */
export class DecisionRing {
  readonly #capacity: number
  /** Never longer than the capacity. */
  readonly #decisions: TunerDecision[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  push(decision: TunerDecision): void {
    this.#decisions.push(decision)
    if (this.#decisions.length > this.#capacity) this.#decisions.shift()
  }

  list(): readonly TunerDecision[] {
    return [...this.#decisions]
  }
}
