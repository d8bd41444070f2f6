import type { Reading } from '../reading.js'
import { FOREGROUND } from './gauges.js'

/** `shared` while somebody else works on the database, `idle` when nobody does. */
export type Mode = 'shared' | 'idle'

export interface ForegroundState {
  readonly mode: Mode
  /** When somebody else was seen last, by the monotonic clock in ms; null when nobody was since the start. */
  readonly seenMs: number | null
  /** When the pace began to look; null before. */
  readonly sinceMs: number | null
  /** Why the mode is what it is, for people. */
  readonly why: string
}

/** What is known of the foreground now. */
export interface ForegroundInput {
  readonly nowMs: number
  readonly readings: readonly Reading[]
  /** Names of the signals that are configured. */
  readonly signals: readonly string[]
  readonly quietMs: number
}

export const NO_FOREGROUND: ForegroundState = { mode: 'idle', seenMs: null, sinceMs: null, why: 'nobody else works' }

/** A first reading that takes longer than this doesn't come: unknown blocks nothing. */
const FIRST_READING_MS = 15_000

/**
 * Enters the shared mode at once and leaves it only after some quiet, for a pause of the others isn't their end. Until
 * the first reading somebody may be there: a second of restraint costs less than a second in somebody's way.
 */
export function nextForeground(before: ForegroundState, input: ForegroundInput): ForegroundState {
  const { nowMs, quietMs } = input
  const sinceMs = before.sinceMs ?? nowMs
  const reading = input.readings.find(({ signal }) => signal === FOREGROUND)
  const state = { ...before, sinceMs }
  if (reading === undefined) {
    const awaited = input.signals.includes(FOREGROUND) && nowMs - sinceMs < FIRST_READING_MS
    return awaited ? { ...state, mode: 'shared', why: 'whether somebody else works is not known yet' } : idle(state)
  }
  // One that can't be read any more leaves the mode as it is.
  if (reading.verdict === 'unknown') return reading.lastReadMs === null ? idle(state) : state
  if (isSomebody(reading)) return { ...state, mode: 'shared', seenMs: reading.lastReadMs ?? nowMs, why: reading.why }
  if (before.mode === 'shared' && before.seenMs !== null && nowMs - before.seenMs < quietMs) {
    return { ...state, why: `somebody else worked ${Math.round((nowMs - before.seenMs) / 1_000)} s ago` }
  }
  return idle(state)
}

function idle(state: ForegroundState): ForegroundState {
  return { ...state, mode: 'idle', seenMs: null, why: NO_FOREGROUND.why }
}

/** A reading that says its utilisation knows its own threshold; else any value counts. */
function isSomebody({ utilisation, value, verdict }: Reading): boolean {
  if (verdict !== 'calm') return true
  return utilisation !== undefined ? utilisation >= 1 : value !== null && value > 0
}
