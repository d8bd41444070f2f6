/** One sample counts at most this many noise widths, so that no single batch can prove a change. */
const CLIPPED_AT = 4

/**
 * A two-sided CUSUM (E. S. Page, "Continuous inspection schemes", Biometrika 1954): adds up how far the samples lie on
 * one side of the estimate, less a drift that noise alone doesn't exceed for long.
 */
export class ChangeDetector {
  readonly #drift: number
  readonly #threshold: number
  /** Evidence for dearer and for cheaper rows, ≥ 0, with the number of samples since it was last 0. */
  #dearer = { evidence: 0, samples: 0 }
  #cheaper = { evidence: 0, samples: 0 }

  constructor(drift: number, threshold: number) {
    this.#drift = drift
    this.#threshold = threshold
  }

  /** Adds a residual in noise widths. When it proves a change: how many of the last samples belong to it, else 0. */
  add(deviation: number): number {
    const clipped = Math.min(CLIPPED_AT, Math.max(-CLIPPED_AT, deviation))
    this.#dearer = this.#accumulate(this.#dearer, clipped)
    this.#cheaper = this.#accumulate(this.#cheaper, -clipped)
    const run = [this.#dearer, this.#cheaper].find(({ evidence }) => evidence > this.#threshold)
    if (run === undefined) return 0
    this.reset()
    return run.samples
  }

  reset(): void {
    this.#dearer = { evidence: 0, samples: 0 }
    this.#cheaper = { evidence: 0, samples: 0 }
  }

  #accumulate(run: { evidence: number; samples: number }, deviation: number): { evidence: number; samples: number } {
    const evidence = Math.max(0, run.evidence + deviation - this.#drift)
    return { evidence, samples: evidence === 0 ? 0 : run.samples + 1 }
  }
}
