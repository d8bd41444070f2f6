interface Batch {
  readonly atMs: number
  readonly rows: number
}

/** What a contestant did, batch by batch, and the word to stop. */
export class Work {
  readonly #batches: Batch[] = []
  readonly #stop = new AbortController()
  #startedMs = Number.NaN

  /** Aborts when the contestant is to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted
  }

  stop(): void {
    this.#stop.abort()
  }

  /** The first batch begins now: what was set up before isn't work. */
  start(): void {
    this.#startedMs = performance.now()
  }

  /** A batch was committed, now or at another moment of `performance.now()`. */
  batch(rows: number, atMs = performance.now()): void {
    this.#batches.push({ atMs, rows })
  }

  /** Rows a second committed between two moments of `performance.now()`. */
  rateBetween(fromMs: number, untilMs: number): number {
    const within = this.#batches.filter(({ atMs }) => atMs >= fromMs && atMs < untilMs)
    return (rowsOf(within) / (untilMs - fromMs)) * 1_000
  }

  /** Rows a second from the start to the last commit. */
  rate(): number {
    return rateSince(this.#startedMs, this.#batches)
  }

  /** Rows a second without the first batches, in which a tuner still looks for its size. */
  settledRate(firstBatches = 4): number {
    const from = this.#batches[firstBatches - 1]
    return from === undefined ? this.rate() : rateSince(from.atMs, this.#batches.slice(firstBatches))
  }
}

function rateSince(fromMs: number, batches: readonly Batch[]): number {
  return (rowsOf(batches) / ((batches.at(-1)?.atMs ?? Number.NaN) - fromMs)) * 1_000
}

const rowsOf = (batches: readonly Batch[]) => batches.reduce((sum, { rows }) => sum + rows, 0)
