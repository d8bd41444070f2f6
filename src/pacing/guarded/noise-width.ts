/** Bounds of the noise width: below, rounding alone looks like a change; above, a change looks like noise. */
const NARROWEST = 0.1
const WIDEST = 0.6

const WEIGHT = 0.05
/** Deviations beyond this many widths are outliers and widen the noise no further. */
const CLIPPED_AT = 3
/** The standard deviation of a normal distribution over its mean absolute deviation: √(π/2). */
const PER_MEAN_DEVIATION = Math.sqrt(Math.PI / 2)

/** What the noise is taken for before anything is known. */
export const USUAL_NOISE_WIDTH = 0.3

/** The noise width after one more residual of a batch whose own width, clock error included, was `expected`. */
export function nextNoiseWidth(width: number, residual: number, expected: number): number {
  const deviation = Math.min(Math.abs(residual), CLIPPED_AT * expected) * PER_MEAN_DEVIATION * (width / expected)
  return clampNoiseWidth(width + WEIGHT * (deviation - width))
}

export function clampNoiseWidth(width: number): number {
  return Math.min(WIDEST, Math.max(NARROWEST, width))
}
