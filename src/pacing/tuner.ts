import type { JsonValue } from '../json.js'

/** What one committed (or cancelled) batch told the tuner. */
export interface TunerSample {
  /** What the handler reported, usually rows examined. */
  readonly items: number
  /** The batch's whole measured time in ms. */
  readonly durationMs: number
  /** The part of `durationMs` that doesn't grow with the batch: BEGIN, bookmark, COMMIT. Default 0. */
  readonly overheadMs?: number
  /** The batch was cancelled at its deadline: it would have taken at least `durationMs`. */
  readonly cancelled?: boolean
}

/** One decision of a tuner, kept so that `explain()` can say why a batch has the size it has. */
export interface TunerDecision {
  /** Which rule fired, in the field's words: `first`, `slow start`, `steady`, `change`, `probe`, … */
  readonly rule: string
  /** Batch size before → after, in items. */
  readonly from: number
  readonly to: number
  /** The sample that led to it; null for the decision that made the first batch. */
  readonly sample: TunerSample | null
  /** The target that the decision aimed at, in ms. */
  readonly targetMs: number
  /** One sentence for a person. */
  readonly why: string
}

/**
 * Chooses the next batch size from what past batches cost. Pure: no clock, no I/O.
 *
 * `next` may be told the target of the coming batch, for a controller may change it from batch to batch; without one it
 * keeps to the target of its context.
 */
export interface Tuner {
  /** Items for the next batch, an integer within the context's bounds. */
  next(targetMs?: number): number
  record(sample: TunerSample): void
  /** What a later `TunerContext.saved` takes, so that a restart goes on where this one was. */
  snapshot(): JsonValue
  /** The last decisions, oldest first. */
  explain(): readonly TunerDecision[]
}

export interface TunerContext {
  /** How long a batch should take, in ms. */
  readonly targetMs: number
  /** Size of the first batch when nothing was saved. */
  readonly defaultBatchSize: number
  readonly minBatchSize: number
  readonly maxBatchSize: number
  /** An earlier `snapshot()`. State that this tuner doesn't recognise is ignored. */
  readonly saved?: JsonValue
}

export type TunerFactory = (context: TunerContext) => Tuner
