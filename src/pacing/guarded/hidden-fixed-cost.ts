import type { Observation } from './observation.js'

const LEAST_OBSERVATIONS = 3
/** Sizes must differ by this factor, else the line through them means nothing. */
const LEAST_SPREAD = 1.5
/** Below this share of a batch the fixed part isn't worth a model. */
const LEAST_SHARE = 0.4
/** The fixed part counts only where it is this many standard errors above nothing. */
const SIGNIFICANCE = 2.5

/**
 * Fixed ms of a batch that nobody measured apart (a slow network, a trigger): the intercept of ms over items, weighted
 * least squares with the error taken as proportional to the time, and at least `noiseWidth` of it. 0 where the batches
 * speak against one, null where they are too much alike to tell.
 *
 * Without it, a stall as long as the target would look like dear rows, and the size would shrink without end, for a
 * smaller batch is hardly any shorter.
 */
export function fixedMsByLine(batches: readonly Observation[], noiseWidth: number): number | null {
  if (batches.length < LEAST_OBSERVATIONS) return null
  const sizes = batches.map(({ items }) => items)
  if (Math.max(...sizes) < LEAST_SPREAD * Math.min(...sizes)) return null
  const total = { weight: 0, x: 0, y: 0, xx: 0, xy: 0 }
  for (const { items: x, workMs: y } of batches) {
    const weight = 1 / y ** 2
    total.weight += weight
    total.x += weight * x
    total.y += weight * y
    total.xx += weight * x * x
    total.xy += weight * x * y
  }
  const determinant = total.weight * total.xx - total.x ** 2
  if (!(determinant > 0)) return null
  const slope = (total.weight * total.xy - total.x * total.y) / determinant
  const intercept = (total.y - slope * total.x) / total.weight
  const smallest = Math.min(...batches.map(({ workMs }) => workMs))
  const scatter =
    batches.reduce((sum, { items, workMs }) => sum + ((workMs - intercept - slope * items) / workMs) ** 2, 0) /
    (batches.length - 2)
  const error = Math.sqrt((Math.max(scatter, noiseWidth ** 2) * total.xx) / determinant)
  if (slope >= 0 && intercept > Math.max(LEAST_SHARE * smallest, SIGNIFICANCE * error))
    return Math.min(intercept, smallest)
  return intercept + SIGNIFICANCE * error < LEAST_SHARE * smallest ? 0 : null
}

/** By how much, in variances, a stall must fit better than dearer items. */
const BETTER_FIT = 4
/** The noise width counts like this many batches against the scatter of the batches themselves. */
const PRIOR_WEIGHT = 3

/**
 * After a rise there are two explanations: items are dearer, or they cost `msPerItem` as before and each batch stalls.
 * Batches of different sizes tell them apart, long before they could tell both the price and the stall. 0 where items
 * are dearer, null where the batches don't tell.
 */
export function fixedMsByPrice(batches: readonly Observation[], msPerItem: number, noiseWidth: number): number | null {
  if (batches.length < LEAST_OBSERVATIONS) return null
  const stall = median(batches.map(({ items, workMs }) => workMs - items * msPerItem))
  if (stall <= 0) return null
  const dearer = scatter(batches.map(({ items, workMs }) => Math.log(workMs / items)))
  const stalled = scatter(batches.map(({ items, workMs }) => Math.log(workMs / (stall + items * msPerItem))))
  // The noise of these very batches counts, too: a stall is often steadier than the items.
  const variance = (Math.min(dearer, stalled) + PRIOR_WEIGHT * noiseWidth ** 2) / (batches.length - 1 + PRIOR_WEIGHT)
  const better = (dearer - stalled) / variance
  if (better < -BETTER_FIT) return 0
  return better > BETTER_FIT ? stall : null
}

function scatter(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
