/** How often failures back off and when they end an update: engine.md 6. Pure. */
import { MAX_INTEGER } from './columns.js'

const FIRST_BACK_OFF_MS = 1_000
const LONGEST_BACK_OFF_MS = 60_000
const JITTER = 0.2
const WINDOW = 20

/** 1 s doubling to 60 s, ± 20 %. `random` is from 0 to 1. */
export function backOffMs(attempts: number, random: () => number): number {
  const base = Math.min(FIRST_BACK_OFF_MS * 2 ** Math.max(0, attempts - 1), LONGEST_BACK_OFF_MS)
  return base * (1 - JITTER + 2 * JITTER * random())
}

/** What the row remembers of the last batches. */
export interface FailureCounters {
  /** Failures in a row. */
  readonly attempts: number
  /** The last 20 batches, `.` committed, `x` failed, `w` failed because a lock was not to be had. */
  readonly outcomes: string
}

export interface FailureVerdict extends FailureCounters {
  /** The update is given up until a person retries it. */
  readonly failed: boolean
}

/** How much longer a lock is waited for than any other failure is put up with. */
const LOCK_PATIENCE = 6

/**
 * Counts one more failure. More than half of the last 20 batches failing is as bad as `maxAttempts` in a row. A lock that
 * somebody else holds says nothing about the update: it counts apart, and six times as many end it, which by default is
 * after about 25 minutes.
 */
export function afterFailure(
  before: FailureCounters,
  limits: { readonly maxAttempts: number; readonly permanent: boolean; readonly lock?: boolean },
): FailureVerdict {
  const { maxAttempts, permanent, lock = false } = limits
  const attempts = Math.min(before.attempts + 1, MAX_INTEGER)
  const outcomes = `${before.outcomes}${lock ? 'w' : 'x'}`.slice(-WINDOW)
  const failuresInWindow = outcomes.split('x').length - 1
  if (lock) return { attempts, outcomes, failed: permanent || attempts >= maxAttempts * LOCK_PATIENCE }
  const inARow = outcomes.slice(outcomes.lastIndexOf('.') + 1)
  const locksInARow = inARow.split('w').length - 1
  const failed = permanent || attempts - locksInARow >= maxAttempts || failuresInWindow > WINDOW / 2
  return { attempts, outcomes, failed }
}
