import type { Pressure } from './gauges.js'

/** The share of the time that goes to batches, and what has held it down. Between min and max whenever it is told. */
export interface DutyState {
  readonly duty: number
  /** The gauge above its limit that holds the work; null while it runs. */
  readonly stoppedBy: string | null
  /** When that began, by the monotonic clock in ms. */
  readonly stoppedMs: number
  /** Stopping didn't help: what is above its limit isn't ours, and the work goes on at the least duty. */
  readonly futile: boolean
  /** The gauge that lowered the duty last; null when it is as high as it may be. */
  readonly heldDownBy: string | null
}

/** What may be chosen from. */
export interface DutyBounds {
  readonly minDuty: number
  readonly maxDuty: number
  /** What the mode allows: a gauge that presses takes effect at once below it. */
  readonly ceiling: number
}

/** One step of the controller, and the rule that made it. */
export interface DutyStep {
  readonly state: DutyState
  readonly rule: string
}

/** The bands of the highest utilisation, and what they do to the duty. */
const RISE_BELOW = 0.5
const RISE = 1.25
const HOLD_TO = 0.8
const FALL = 0.8
const RESUME = 0.5
/** A gauge that is above its limit for so long although we rest isn't driven by us. */
const FUTILE_AFTER_MS = 5_000

export function startDuty(maxDuty: number): DutyState {
  return { duty: maxDuty, stoppedBy: null, stoppedMs: 0, futile: false, heldDownBy: null }
}

/**
 * The next duty, once a second: below half of the limit it rises by a quarter, up to 0.8 it holds, up to 1 it falls by a
 * fifth, above 1 the work stops until the gauge is below 0.8, and goes on at half.
 */
export function nextDuty(state: DutyState, pressure: Pressure, bounds: DutyBounds, nowMs: number): DutyStep {
  const inBounds = (duty: number) => Math.min(bounds.maxDuty, Math.max(bounds.minDuty, duty))
  const now = { ...state, duty: inBounds(state.duty) }
  const { highest, blind } = pressure
  const utilisation = highest?.utilisation ?? 0
  const name = highest?.name ?? null
  if (now.stoppedBy !== null) {
    if (utilisation < HOLD_TO) {
      const duty = inBounds(Math.min(now.duty, bounds.ceiling) * RESUME)
      return { rule: 'resume at half', state: { ...now, duty, stoppedBy: null, heldDownBy: now.stoppedBy } }
    }
    if (highest?.stops !== true && nowMs - now.stoppedMs >= FUTILE_AFTER_MS) {
      const state = { ...now, duty: bounds.minDuty, stoppedBy: null, futile: true, heldDownBy: name }
      return { rule: 'resting does not help: the least duty', state }
    }
    return { rule: 'stopped', state: { ...now, stoppedBy: name } }
  }
  if (utilisation > 1) {
    if (now.futile && highest?.stops !== true) {
      return { rule: 'the least duty', state: { ...now, duty: bounds.minDuty, heldDownBy: name } }
    }
    return { rule: 'stop', state: { ...now, stoppedBy: name, stoppedMs: nowMs, heldDownBy: name } }
  }
  const futile = now.futile && utilisation >= HOLD_TO
  if (utilisation > HOLD_TO) {
    const duty = inBounds(Math.min(now.duty, bounds.ceiling) * FALL)
    return { rule: 'less', state: { ...now, duty, futile, heldDownBy: name } }
  }
  if (utilisation >= RISE_BELOW) return { rule: 'hold', state: { ...now, futile } }
  if (blind !== null) return { rule: 'hold: a gauge cannot be read', state: { ...now, futile } }
  const duty = inBounds(now.duty * RISE)
  const heldDownBy = duty >= bounds.maxDuty ? null : now.heldDownBy
  return { rule: duty > now.duty ? 'more' : 'full', state: { ...now, duty, futile, heldDownBy } }
}
