import type { PaceContext } from '../pace.js'

/** What a lane rests from. */
export interface LastBatch {
  /** By the monotonic clock in ms. */
  readonly endMs: number
  readonly durationMs: number
}

export interface OwedPause {
  readonly ms: number
  /** It is longer than the next decision is away: to be asked again then. */
  readonly again: boolean
  /** It is only the least time that must lie between batches. */
  readonly least: boolean
}

/** On SQLite writers poll for the lock: without a gap between batches they would hardly ever find it free. */
const LEAST_BETWEEN_SQLITE_MS = 1

/**
 * The rest of the pause after a batch of d ms at duty q: d × (n/q − 1), counted from its end. Throttled lanes share one
 * duty, so that n of them together work q of the time; at full duty nobody rests.
 */
export function owedPause(
  { nowMs, lanes, dialect }: Pick<PaceContext, 'nowMs' | 'lanes' | 'dialect'>,
  last: LastBatch | null,
  { duty, maxDuty, lookEveryMs }: { readonly duty: number; readonly maxDuty: number; readonly lookEveryMs: number },
): OwedPause {
  if (last === null) return { ms: 0, again: false, least: false }
  const sharing = duty < maxDuty ? lanes : 1
  const passedMs = nowMs - last.endMs
  const restMs = last.durationMs * (sharing / duty - 1) - passedMs
  const leastMs = dialect === 'sqlite' ? Math.max(0, LEAST_BETWEEN_SQLITE_MS - passedMs) : 0
  if (restMs <= leastMs) return { ms: leastMs, again: false, least: leastMs > 0 }
  return restMs > lookEveryMs
    ? { ms: lookEveryMs, again: true, least: false }
    : { ms: restMs, again: false, least: false }
}
