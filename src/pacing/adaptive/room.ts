import type { Reading } from '../reading.js'
import { ACTIVE_BACKENDS } from './gauges.js'
import type { PaceKnobs } from './presets.js'

/** Others who keep no more than half of the cores busy leave room for a whole share; from there on it shrinks. */
const ROOM_UP_TO = 0.5
/** Beside others who keep nearly all of them busy there is room for as little as there ever is. */
const FULL_FROM = 0.9
const LEAST_ROOM = 0.15

/**
 * How much of the share of a shared database there is room for now, above 0 to 1: the busier others keep the cores, the
 * less, at once. Near saturation whatever we take is taken from them.
 */
export function roomBeside(readings: readonly Reading[], { sharedCrowd }: Pick<PaceKnobs, 'sharedCrowd'>): number {
  const reading = readings.find(({ signal }) => signal === ACTIVE_BACKENDS)
  if (reading?.utilisation === undefined || reading.verdict === 'unknown') return 1
  const crowded = (reading.utilisation / sharedCrowd - ROOM_UP_TO) / (FULL_FROM - ROOM_UP_TO)
  return 1 - (1 - LEAST_ROOM) * Math.min(1, Math.max(0, crowded))
}
