import { ConfigurationError } from '../errors.js'
import { describe, refuseProblems, requireReadable } from '../options.js'
import type { Pace } from './pace.js'

// The longest delay that a timer of Node takes.
const MAX_SLEEP_MS = 2 ** 31 - 1

/**
 * Sleeps the same time before every batch, the first one too: the classic. `sleepMs` in ms, default 1 000.
 *
 * @throws ConfigurationError when `sleepMs` is not a number from 0 to 2^31 - 1
 */
export function fixedPace(options: { readonly sleepMs?: number } = {}): Pace {
  requireReadable('fixedPace', options)
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('fixedPace', [`options must be an object, not ${describe(options)}`])
  }
  const { sleepMs = 1_000, ...unknown } = options
  const problems = Object.keys(unknown).map((key) => `unknown option "${key}"; did you mean "sleepMs"?`)
  if (!Number.isFinite(sleepMs) || sleepMs < 0 || sleepMs > MAX_SLEEP_MS) {
    problems.push(`sleepMs must be a number of milliseconds from 0 to ${MAX_SLEEP_MS}, not ${describe(sleepMs)}`)
  }
  refuseProblems('fixedPace', problems)
  const pause = { ms: sleepMs, why: `sleeps ${sleepMs} ms before every batch` }
  return { ignoresSignals: true, beforeBatch: () => pause }
}

/** Never sleeps: every batch follows the last at once. */
export function noPace(): Pace {
  const pause = { ms: 0, why: 'no pause' }
  return { ignoresSignals: true, beforeBatch: () => pause }
}
