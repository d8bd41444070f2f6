import type { Reading } from '../reading.js'
import { ACTIVE_BACKENDS } from './gauges.js'

/** Beside others who keep a third of the cores busy there is room for as little as there ever is. */
const STEEPNESS = 2.5
const LEAST_ROOM = 0.15

/**
 * How much of the share of a shared database there is room for now, above 0 to 1: the busier others keep the cores, the
 * less, at once. Near saturation whatever we take is taken from them.
 */
export function roomBeside(readings: readonly Reading[]): number {
  const reading = readings.find(({ signal }) => signal === ACTIVE_BACKENDS)
  if (reading?.utilisation === undefined || reading.verdict === 'unknown') return 1
  return Math.min(1, Math.max(LEAST_ROOM, 1 - STEEPNESS * reading.utilisation))
}
