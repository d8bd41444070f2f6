/** One statement of a batch. */
export interface StatementSample {
  readonly items: number
  /** From when it was sent to its answer, in ms. */
  readonly durationMs: number
}

const FIRST_SIZE = 100
const MAX_SIZE = 2 ** 31
/** How far one batch may change it, as a factor. */
const STEP = 2
/** In so many of so many batches a round trip is timed; the quickest counts. */
const ROUND_TRIPS = 3
const ROUND_TRIP_EVERY = 100
/** By how much a round trip may have become longer since the last one, as a factor. */
const SLOWER = 1.5
/** Less than this can't be told from the noise of a clock and a scheduler, in ms. */
const LEAST_MS = 0.01

/**
 * How many items one statement of a batch may have. It goes by the quickest statement of each batch, for the others
 * waited for a processor, which is what small statements are for; and by the server's time alone, for nobody waits
 * during a round trip. Nothing is saved: it is found again within a few batches.
 */
export class StatementSize {
  #size = FIRST_SIZE
  #statementMs = Infinity
  #roundTripMs = Infinity
  // Those asked for: many a handler tells nothing of its statements.
  #batches = 0

  /** The size for statements of so many ms in the next batch; at least 1. */
  next(statementMs: number): number {
    this.#batches += 1
    this.#statementMs = statementMs
    return Math.round(this.#size)
  }

  /** Whether a statement that does nothing is to be timed: now and then, for the way to the server may change. */
  get needsRoundTrip(): boolean {
    return (this.#batches - 1) % ROUND_TRIP_EVERY < ROUND_TRIPS
  }

  /** How long a statement took that did nothing, in ms. */
  roundTrip(ms: number): void {
    this.#roundTripMs = Math.min(ms, this.#roundTripMs * SLOWER)
  }

  record({ items, durationMs }: StatementSample): void {
    const workMs = Math.max(LEAST_MS, durationMs - this.#roundTripMs)
    const wanted = (items * this.#statementMs) / workMs
    this.#size = Math.max(1, Math.min(Math.max(wanted, this.#size / STEP), this.#size * STEP, MAX_SIZE))
  }
}
