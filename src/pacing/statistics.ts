import type { JsonValue } from '../json.js'
import { extendProfile, type RateProfile, type Stretch } from './rate-profile.js'

/** What is measured of an update over its batches; kept in its row, so that a restart goes on with it. Pure. */
export interface Statistics {
  /** Moving averages with weight 0.1 from 0: their quotient is the recent items per ms. */
  readonly recentItems: number
  readonly recentMs: number
  /** Sums over wall-clock time that fade with a half-life: pauses are in it, so that throttling shows. */
  readonly fadedItems: number
  readonly fadedFraction: number
  readonly fadedSeconds: number
  /** Largest known share of the walk, so that it never goes back; null when it can't be told. */
  readonly fraction: number | null
  /** Batches in a row without new progress. */
  readonly idleBatches: number
  /** The way so far, coarsely: how much the rate varies, and what it was over the whole walk. */
  readonly profile: RateProfile
}

export const NO_STATISTICS: Statistics = {
  recentItems: 0,
  recentMs: 0,
  fadedItems: 0,
  fadedFraction: 0,
  fadedSeconds: 0,
  fraction: null,
  idleBatches: 0,
  profile: [],
}

const WEIGHT = 0.1
const HALF_LIFE_SECONDS = 90

/** The largest fraction of a walk that isn't over: only the end itself is 100 %. */
export const ALMOST = 0.999

export interface BatchMeasure {
  readonly items: number
  readonly durationMs: number
  /** Wall-clock time since the batch before, in ms; its own duration for the first of a process. */
  readonly elapsedMs: number
  readonly fraction: number | null
  readonly idle: boolean
}

export function afterBatch(before: Statistics, batch: BatchMeasure): Statistics {
  const seconds = Math.max(batch.elapsedMs, 0) / 1_000
  const fade = 0.5 ** (seconds / HALF_LIFE_SECONDS)
  const fraction = furthest(before, batch.fraction)
  // Of the first batch it isn't known where it began.
  const measured = fraction !== null && before.fraction !== null
  const advance = measured ? fraction - before.fraction : 0
  return {
    recentItems: before.recentItems + WEIGHT * (batch.items - before.recentItems),
    recentMs: before.recentMs + WEIGHT * (batch.durationMs - before.recentMs),
    fadedItems: before.fadedItems * fade + batch.items,
    fadedFraction: before.fadedFraction * fade + advance,
    fadedSeconds: before.fadedSeconds * fade + seconds,
    fraction,
    idleBatches: batch.idle ? before.idleBatches + 1 : 0,
    profile: measured ? extendProfile(before.profile, seconds, advance) : before.profile,
  }
}

/** The share of the walk for people: what is known of it, but never less than it was before, and never 100 %. */
export function furthest(statistics: Statistics, fraction: number | null): number | null {
  if (fraction === null || Number.isNaN(fraction)) return null
  return Math.min(ALMOST, Math.max(0, fraction, statistics.fraction ?? 0))
}

/** Items per second of wall-clock time, pauses included; null when nothing was measured yet. */
export function itemsPerSecond(statistics: Statistics): number | null {
  return statistics.fadedSeconds > 0 ? statistics.fadedItems / statistics.fadedSeconds : null
}

/** State that was saved in a row; anything else than what we write is ignored. */
export function restoreStatistics(saved: JsonValue | undefined): Statistics {
  if (typeof saved !== 'object' || saved === null || Array.isArray(saved)) return NO_STATISTICS
  const restored: Record<string, unknown> = { ...NO_STATISTICS }
  for (const [key, value] of Object.entries(saved)) {
    if (key === 'profile') restored.profile = restoreProfile(value)
    else if (
      key === 'fraction' ? value === null || (isAmount(value) && value <= 1) : key in NO_STATISTICS && isAmount(value)
    )
      restored[key] = value
  }
  return restored as unknown as Statistics
}

function restoreProfile(saved: JsonValue | undefined): RateProfile {
  const stretches = Array.isArray(saved) ? saved : []
  return stretches.every(isStretch) ? stretches : []
}

function isStretch(value: unknown): value is Stretch & JsonValue {
  return Array.isArray(value) && value.length === 2 && value.every(isAmount)
}

// More than any update does: beyond it the sums and quotients could leave the range of a number.
const MOST = 1e15

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MOST
}
