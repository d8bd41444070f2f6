import type { TunerContext } from './tuner.js'

/** The sizes a tuner may answer with, in items. */
export interface BatchBounds {
  readonly min: number
  readonly max: number
}

/** The context's bounds as integers with 1 ≤ min ≤ max, whatever was passed. */
export function batchBounds(context: Pick<TunerContext, 'minBatchSize' | 'maxBatchSize'>): BatchBounds {
  const min = Math.max(1, wholeOr(context.minBatchSize, 1))
  return { min, max: Math.max(min, wholeOr(context.maxBatchSize, Number.MAX_SAFE_INTEGER)) }
}

/** `size` truncated into the bounds; not a number counts as the least. */
export function clampToBounds(size: number, bounds: BatchBounds): number {
  if (Number.isNaN(size)) return bounds.min
  return Math.min(bounds.max, Math.max(bounds.min, Math.trunc(size)))
}

function wholeOr(value: number, otherwise: number): number {
  return Number.isFinite(value) ? Math.min(Math.trunc(value), Number.MAX_SAFE_INTEGER) : otherwise
}
