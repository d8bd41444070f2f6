import type { Reading } from '../reading.js'
import { LOCK_WAITERS } from './gauges.js'

/** How far the target is cut because somebody waited for our locks. */
export interface TargetState {
  /** Above 0 to 1, times the target that the mode allows. */
  readonly share: number
  /** The reading that was taken in last: one reading halves once. */
  readonly readMs: number | null
}

export const FULL_TARGET: TargetState = { share: 1, readMs: null }

/** A batch is never told to take less, in ms: below that it is overhead alone. */
const LEAST_TARGET_MS = 2
const HALVE = 0.5
/** A second without waiters, so that a cut to a quarter is forgotten within 15 s. */
const RECOVER = 1.1

/** Halves at once with every reading that shows waiters. */
export function cutTarget(before: TargetState, readings: readonly Reading[], targetMs: number): TargetState {
  const reading = readings.find(({ signal }) => signal === LOCK_WAITERS)
  if (!reading || reading.verdict === 'unknown' || reading.lastReadMs === before.readMs) return before
  const waiters = (reading.value ?? 0) > 0
  const least = Math.min(1, LEAST_TARGET_MS / targetMs)
  return {
    share: waiters ? Math.max(Math.min(least, before.share), before.share * HALVE) : before.share,
    readMs: reading.lastReadMs,
  }
}

/** One second has passed; who waits at this moment keeps it from growing. */
export function recoverTarget(before: TargetState, readings: readonly Reading[]): TargetState {
  const reading = readings.find(({ signal }) => signal === LOCK_WAITERS)
  if (before.share === 1 || (reading !== undefined && (reading.value ?? 0) > 0)) return before
  return { ...before, share: Math.min(1, before.share * RECOVER) }
}
