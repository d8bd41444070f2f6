import type { JsonValue } from '../json.js'

/** What is measured of an update over its batches; kept in its row, so that a restart goes on with it. Pure. */
export interface Statistics {
  /** Moving averages with weight 0.1 from 0: their quotient is the recent items per ms. */
  readonly recentItems: number
  readonly recentMs: number
  /** Sums over wall-clock time that fade with a half-life: pauses are in it, so that throttling shows. */
  readonly fadedItems: number
  readonly fadedFraction: number
  readonly fadedSeconds: number
  /** Last known share of the walk; null when it can't be told. */
  readonly fraction: number | null
  /** Batches in a row without new progress. */
  readonly idleBatches: number
}

export const NO_STATISTICS: Statistics = {
  recentItems: 0,
  recentMs: 0,
  fadedItems: 0,
  fadedFraction: 0,
  fadedSeconds: 0,
  fraction: null,
  idleBatches: 0,
}

const WEIGHT = 0.1
const HALF_LIFE_SECONDS = 90

export interface BatchMeasure {
  readonly items: number
  readonly durationMs: number
  /** Wall-clock time since the batch before, in ms; its own duration for the first. */
  readonly elapsedMs: number
  readonly fraction: number | null
  readonly idle: boolean
}

export function afterBatch(before: Statistics, batch: BatchMeasure): Statistics {
  const seconds = Math.max(batch.elapsedMs, 0) / 1_000
  const fade = 0.5 ** (seconds / HALF_LIFE_SECONDS)
  const advance =
    batch.fraction !== null && before.fraction !== null ? Math.max(0, batch.fraction - before.fraction) : 0
  return {
    recentItems: before.recentItems + WEIGHT * (batch.items - before.recentItems),
    recentMs: before.recentMs + WEIGHT * (batch.durationMs - before.recentMs),
    fadedItems: before.fadedItems * fade + batch.items,
    fadedFraction: before.fadedFraction * fade + advance,
    fadedSeconds: before.fadedSeconds * fade + seconds,
    fraction: batch.fraction,
    idleBatches: batch.idle ? before.idleBatches + 1 : 0,
  }
}

/** Items per second of wall-clock time, pauses included; null when nothing was measured yet. */
export function itemsPerSecond(statistics: Statistics): number | null {
  return statistics.fadedSeconds > 0 ? statistics.fadedItems / statistics.fadedSeconds : null
}

const MIN_BATCHES = 20
const MIN_FRACTION = 0.02
const LOW = 0.8
const HIGH = 1.4

/** Seconds that are left, as a range; nothing before 20 batches or 2 % of the walk. */
export function etaSeconds(statistics: Statistics, batches: number): [low: number, high: number] | null {
  const { fraction, fadedFraction, fadedSeconds } = statistics
  if (fraction === null || fadedFraction <= 0) return null
  if (batches < MIN_BATCHES && fraction < MIN_FRACTION) return null
  const seconds = ((1 - fraction) * fadedSeconds) / fadedFraction
  return [seconds * LOW, seconds * HIGH]
}

/** State that was saved in a row; anything else than what we write is ignored. */
export function restoreStatistics(saved: JsonValue | undefined): Statistics {
  if (typeof saved !== 'object' || saved === null || Array.isArray(saved)) return NO_STATISTICS
  const restored: Record<string, number | null> = { ...NO_STATISTICS }
  for (const [key, value] of Object.entries(saved)) {
    if (!(key in NO_STATISTICS)) continue
    if ((typeof value === 'number' && Number.isFinite(value) && value >= 0) || (key === 'fraction' && value === null)) {
      restored[key] = value
    }
  }
  return restored as unknown as Statistics
}
