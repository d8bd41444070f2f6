import type { SignalSample } from '../../pacing/reading.js'
import type { Signal, SignalContext } from '../signal.js'
import { count, digits, durationText } from '../units.js'
import { against } from '../verdict.js'
import { activityOf, NOT_OURS } from './activity.js'

// pg_locks and pg_blocking_pids need no rights, but halt the lock manager for a moment: asked only when somebody waits.
const WAITING_FOR_US = `
  SELECT
    count(DISTINCT waiting.pid)::int AS waiters,
    max(extract(epoch FROM clock_timestamp() - waiting.waitstart))::float8 * 1000 AS longest_ms
  FROM pg_locks AS waiting
  JOIN pg_stat_activity USING (pid)
  WHERE NOT waiting.granted
    AND ${NOT_OURS}
    AND EXISTS (
      SELECT
      FROM unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
      JOIN pg_stat_activity AS blocker USING (pid)
      WHERE starts_with(blocker.application_name, 'evenkeel:')
    )`

/**
 * Others who wait for a lock that a transaction of ours holds: the very stalls that the pace is to keep small, and a
 * reason to make batches shorter.
 */
export function lockWaiters(threshold: number): Signal {
  return {
    name: 'lock waiters',
    kind: 'gauge',
    intervalMs: 500,
    timeoutMs: 1_000,
    shared: true,
    open: () => (context) => sample(context, threshold),
  }
}

async function sample(context: SignalContext, threshold: number): Promise<SignalSample> {
  const limit = `(limit ${digits(threshold)})`
  const activity = await activityOf(context)
  if (activity.lockWaiters.length === 0 && activity.hidden === 0) {
    return against(0, threshold, `nobody waits for a lock of ours ${limit}`)
  }
  const { rows } = await context.query<{ waiters: number; longest_ms: number | null }>(WAITING_FOR_US)
  const { waiters, longest_ms: longestMs } = rows[0] ?? { waiters: 0, longest_ms: null }
  const since = longestMs === null ? '' : `, the longest for ${durationText(longestMs)}`
  return against(waiters, threshold, `waiting for a lock of ours: ${count(waiters, 'session')}${since} ${limit}`)
}
