/** The last decisions of a tuner or a pace, oldest first: bounded, for an update may run for a million batches. */
export class DecisionRing<Decision> {
  readonly #capacity: number
  /** Never longer than the capacity. */
  readonly #decisions: Decision[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  push(decision: Decision): void {
    this.#decisions.push(decision)
    if (this.#decisions.length > this.#capacity) this.#decisions.shift()
  }

  list(): readonly Decision[] {
    return [...this.#decisions]
  }
}
