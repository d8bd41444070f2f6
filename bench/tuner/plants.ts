import type { Plant } from './plant.js'
import type { Random } from './random.js'

/** Makes a plant for a simulation. */
export type PlantMaker = (random: Random) => Plant

/** What makes a batch's rows dearer or cheaper than usual, by the batch's number. */
export type Factor = (batch: number) => number

export interface Rows {
  /** Items that take 100 ms on average at factor 1. */
  readonly ideal: number
  /** Standard deviation of the log-normal noise, whose mean is 1. Default 0. */
  readonly noise?: number
  /** Correlation of the noise of neighbouring batches. Default 0. */
  readonly correlation?: number
  /** A lasting change of the cost. Default 1. */
  readonly factor?: Factor
  /** A change that is bad luck and not the batch's expected cost. Default 1. */
  readonly luck?: Factor
  readonly fixedMs?: (batch: number) => number
  /** The cost grows with size ^ exponent. Default 1. */
  readonly exponent?: number
}

/** Rows whose cost is `100 / ideal` ms each, with everything that can befall them. */
export function rows({ ideal, noise = 0, correlation = 0, factor, luck, fixedMs, exponent = 1 }: Rows): PlantMaker {
  return (random) => {
    let deviation = random.normal()
    return (batch, size) => {
      const expectedMs = 100 * (size / ideal) ** exponent * (factor?.(batch) ?? 1)
      const noisy = expectedMs * Math.exp(noise * deviation - noise ** 2 / 2) * (luck?.(batch) ?? 1)
      deviation = correlation * deviation + Math.sqrt(1 - correlation ** 2) * random.normal()
      return { expectedMs, workMs: noisy, fixedMs: fixedMs?.(batch) ?? 0 }
    }
  }
}

/** From batch `from` on by this much. */
export const fromBatch =
  (from: number, by: number): Factor =>
  (batch) =>
    batch >= from ? by : 1

/** The first batches by this much. */
export const firstBatches =
  (count: number, by: number): Factor =>
  (batch) =>
    batch < count ? by : 1

/** One batch by this much. */
export const oneBatch =
  (at: number, by: number): Factor =>
  (batch) =>
    batch === at ? by : 1

/** A share of the batches, at random. */
export function strays(ideal: number, noise: number, share: number, by: number): PlantMaker {
  return (random) => rows({ ideal, noise, luck: () => (random.uniform() < share ? by : 1) })(random)
}

/** Regions of `length` batches' worth of rows that are by turns cheaper and dearer by a factor. */
export const regions =
  (length: number, by: number): Factor =>
  (batch) =>
    Math.floor(batch / length) % 2 === 0 ? by ** -0.5 : by ** 0.5

/**
 * A table walked by key of which 1 % matches, all of it together: rows that don't match cost a fiftieth. The place in
 * the table depends on the rows walked, not on the number of the batch.
 */
export function sparseRanges(ideal: number, noise: number, rangeRows: number): PlantMaker {
  return (random) => {
    let row = 0
    return (_batch, size) => {
      const matching = matchesBefore(row + size, rangeRows) - matchesBefore(row, rangeRows)
      row += size
      const expectedMs = (100 / ideal) * (matching + (size - matching) / 50)
      return { expectedMs, workMs: expectedMs * Math.exp(noise * random.normal() - noise ** 2 / 2) }
    }
  }
}

/** Of every range, the last hundredth matches. */
function matchesBefore(row: number, rangeRows: number): number {
  const inRange = row % rangeRows
  return Math.floor(row / rangeRows) * (rangeRows / 100) + Math.max(0, inRange - rangeRows * 0.99)
}
