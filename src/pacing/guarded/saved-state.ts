import type { JsonObject, JsonValue } from '../../json.js'
import type { CostEstimate } from './cost-model.js'
import { clampNoiseWidth } from './noise-width.js'

const TUNER = 'guarded'
const VERSION = 1
/** e^±40 ms per item is beyond any computer. */
const MOST_LOG_COST = 40
const MOST_MS = 1e9

/** What the guarded tuner keeps with the row. */
export interface SavedState {
  /** The last working size, in items. */
  readonly size: number
  readonly estimate: CostEstimate
  /** Overheads of the last batches in ms. */
  readonly overheadMs: readonly number[]
}

export function writeState({ size, estimate, overheadMs }: SavedState): JsonObject {
  return { tuner: TUNER, version: VERSION, size, ...estimate, overheadMs }
}

/** Reads `writeState()` back; null for anything else, for the row may have been edited by hand. */
export function readState(saved: JsonValue | undefined): SavedState | null {
  if (!isObject(saved) || saved.tuner !== TUNER || saved.version !== VERSION) return null
  const { size, logCost, noiseWidth, fixedMs, overheadMs } = saved
  if (!isWithin(size, 1, Number.MAX_SAFE_INTEGER) || !isWithin(logCost, -MOST_LOG_COST, MOST_LOG_COST)) return null
  if (!isWithin(noiseWidth, 0, 10) || !isWithin(fixedMs, 0, MOST_MS)) return null
  if (!Array.isArray(overheadMs) || overheadMs.length > 100) return null
  const overheads = overheadMs as readonly JsonValue[]
  if (!overheads.every((ms) => isWithin(ms, 0, MOST_MS))) return null
  return {
    size: Math.trunc(size),
    estimate: { logCost, noiseWidth: clampNoiseWidth(noiseWidth), fixedMs },
    overheadMs: overheads,
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isWithin(value: JsonValue | undefined, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}
