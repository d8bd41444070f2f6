import type { Batch } from './plant.js'

export { quantile } from '../measure/summary.js'

/**
 * Batches until one is within 20 % of the target, counted from `from`; with `for` that many batches in a row must be.
 */
export function batchesUntilClose(batches: readonly Batch[], from = 0, inARow = 1): number {
  for (let i = from; i + inARow <= batches.length; i += 1) {
    if (batches.slice(i, i + inARow).every(isClose)) return i - from
  }
  return batches.length - from
}

export const isClose = ({ load }: Batch): boolean => load >= 0.8 && load <= 1.2

/** Mean of |load − 1|. */
export const deviation = (batches: readonly Batch[]): number => mean(batches.map(({ load }) => Math.abs(load - 1)))

/** Mean load. */
export const bias = (batches: readonly Batch[]): number => mean(batches.map(({ load }) => load))

export const worst = (batches: readonly Batch[]): number => Math.max(...batches.map(({ load }) => load))

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
