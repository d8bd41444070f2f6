/** How often failures back off and when they end an update: engine.md 6. Pure. */

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
  /** The last 20 batches, `.` committed and `x` failed. */
  readonly outcomes: string
}

export interface FailureVerdict extends FailureCounters {
  /** The update is given up until a person retries it. */
  readonly failed: boolean
}

/** Counts one more failure. More than half of the last 20 batches failing is as bad as `maxAttempts` in a row. */
export function afterFailure(
  before: FailureCounters,
  limits: { readonly maxAttempts: number; readonly permanent: boolean },
): FailureVerdict {
  const attempts = before.attempts + 1
  const outcomes = `${before.outcomes}x`.slice(-WINDOW)
  const failuresInWindow = outcomes.split('x').length - 1
  const failed = limits.permanent || attempts >= limits.maxAttempts || failuresInWindow > WINDOW / 2
  return { attempts, outcomes, failed }
}
