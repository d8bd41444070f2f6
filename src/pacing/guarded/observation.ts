import type { TunerSample } from '../tuner.js'

/** What is believed of the clock: the error of a time in ms, by whether it comes in whole ms. */
const WHOLE_MS_ERROR = 0.3
const FINE_ERROR = 0.05
/** A whole-ms clock that says 0 means anything below 1. */
const ZERO_MS = 0.5
const LEAST_MS = 1e-3
const MOST_MS = 1e12
/** Of a batch's time at least this share is taken for its rows, however much of it is said to be fixed. */
const LEAST_SHARE = 0.02

/** A batch as the tuner sees it. */
export interface Observation {
  readonly items: number
  /** Time without the overhead that was measured apart, in ms, above 0. */
  readonly workMs: number
  /** Standard error of `workMs` that the clock alone causes, in ms. */
  readonly clockErrorMs: number
}

/** The batch without its overhead, or null where it tells nothing: no items, or numbers that can't be. */
export function observe(sample: TunerSample): Observation | null {
  const { items, durationMs } = sample
  if (!Number.isFinite(items) || !Number.isFinite(durationMs) || items <= 0 || durationMs < 0) return null
  const duration = durationMs === 0 ? ZERO_MS : durationMs
  const overheadMs = overheadOf(sample)
  const workMs = Math.min(MOST_MS, Math.max(LEAST_MS, duration - overheadMs, duration * LEAST_SHARE))
  return { items, workMs, clockErrorMs: Number.isInteger(durationMs) ? WHOLE_MS_ERROR : FINE_ERROR }
}

/** The overhead of a sample in ms, a finite number ≥ 0 and at most its duration. */
export function overheadOf({ durationMs, overheadMs = 0 }: TunerSample): number {
  return Number.isFinite(overheadMs) && overheadMs > 0 ? Math.min(overheadMs, durationMs) : 0
}

/** The part of the batch's time that its items took, where `fixedMs` of it is fixed; above 0. */
export function itemsMs({ workMs }: Observation, fixedMs: number): number {
  return Math.max(workMs - fixedMs, workMs * LEAST_SHARE)
}

/** ln(ms per item): noise is multiplicative, so on this scale it is symmetric. */
export function logCost(batch: Observation, fixedMs: number): number {
  return Math.log(itemsMs(batch, fixedMs)) - Math.log(batch.items)
}
