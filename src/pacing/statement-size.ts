import { timeForItems } from './guarded/overhead.js'

/** A statement of a batch that was cut into several. */
export interface StatementSample {
  readonly items: number
  /** From when it was sent to its answer, in ms. */
  readonly durationMs: number
  /** How long the server worked on it by its own clock, in ms, where that is known. */
  readonly serverMs?: number
}

const FIRST_SIZE = 100
const MAX_SIZE = 2 ** 31
/** How far one batch may change it, as a factor. */
const STEP = 2
/** In so many of so many batches a statement without items is timed; the quickest counts. */
const EMPTY_ONES = 3
const EMPTY_EVERY = 100
/** By how much such a one may have become slower since the last time, as a factor. */
const SLOWER = 1.5
/** So many of the last batches count: the quickest of them, for the others waited, for a processor or for a lock. */
const REMEMBERED = 3
/** Less than this can't be told from the noise of a clock and a scheduler, in ms. */
const LEAST_MS = 0.01

/**
 * How many items one statement of a batch may have, by what its items alone cost: by the server's own time where that is
 * known, for nobody waits during a round trip, and without what a statement takes that has no items. Nothing is saved:
 * it is found again within a few batches.
 */
export class StatementSize {
  #size = FIRST_SIZE
  #statementMs = Infinity
  #emptyMs: number | null = null
  // Those asked for: many a handler tells nothing of its statements.
  #batches = 0
  /** Of the last batches, in ms per item. */
  #costs: readonly number[] = []

  /** The size for statements of so many ms in the next batch; at least 1. */
  next(statementMs: number): number {
    this.#batches += 1
    this.#statementMs = statementMs
    return Math.round(this.#size)
  }

  /** Whether a statement without items is to be timed: now and then, for it may change. */
  get needsEmpty(): boolean {
    return (this.#batches - 1) % EMPTY_EVERY < EMPTY_ONES
  }

  /** What a statement takes that has no items, in ms; 0 until one was timed. */
  get emptyMs(): number {
    return this.#emptyMs ?? 0
  }

  /** How long a statement without items took, in ms, by the clock that the next samples will come from. */
  empty(ms: number): void {
    this.#emptyMs = Math.min(ms, this.#emptyMs === null ? Infinity : this.#emptyMs * SLOWER)
  }

  record({ items, durationMs, serverMs }: StatementSample): void {
    const { emptyMs } = this
    this.#costs = [...this.#costs, Math.max(LEAST_MS, (serverMs ?? durationMs) - emptyMs) / items].slice(-REMEMBERED)
    // What is known to be the server's own is work as well. Where it alone takes the time, statements that do next to
    // nothing would only make it worse.
    const itemsMs =
      serverMs === undefined ? this.#statementMs : timeForItems(this.#statementMs, this.#statementMs, emptyMs)
    const wanted = itemsMs / Math.min(...this.#costs)
    this.#size = Math.max(1, Math.min(Math.max(wanted, this.#size / STEP), this.#size * STEP, MAX_SIZE))
  }
}
