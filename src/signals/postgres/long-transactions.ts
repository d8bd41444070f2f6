import type { SignalSample } from '../../pacing/reading.js'
import type { Signal } from '../signal.js'
import { count, durationText } from '../units.js'
import { against, unknown } from '../verdict.js'
import { NOT_OURS } from './activity.js'

// Only transactions of this database keep its rows from being vacuumed. A VACUUM holds nothing back itself.
const OLDEST = `
  SELECT oldest.ms, oldest.who, unseen.hidden
  FROM (
    SELECT count(*)::int AS hidden
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type IS NULL AND usesysid IS NOT NULL AND ${NOT_OURS}
  ) AS unseen
  LEFT JOIN (
    SELECT ms, who
    FROM (
      SELECT
        extract(epoch FROM clock_timestamp() - xact_start)::float8 * 1000 AS ms,
        pg_catalog.format('pid %s (%s, %s)', pid, coalesce(nullif(application_name, ''), 'no name'), state) AS who
      FROM pg_stat_activity
      WHERE datname = current_database()
        AND backend_type = 'client backend'
        AND xact_start IS NOT NULL
        AND pid <> pg_backend_pid()
        AND ${NOT_OURS}
        AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)
      UNION ALL
      SELECT
        extract(epoch FROM clock_timestamp() - prepared)::float8 * 1000,
        pg_catalog.format('prepared transaction %L', gid)
      FROM pg_prepared_xacts
      WHERE database = current_database()
    ) AS transactions
    ORDER BY ms DESC
    LIMIT 1
  ) AS oldest ON TRUE`

interface Oldest {
  readonly ms: number | null
  readonly who: string | null
  readonly hidden: number
}

/**
 * The oldest open transaction, also one that is idle or prepared: as long as it is there, the rows that batches replace
 * can't be vacuumed, and the table grows.
 */
export function longTransaction(thresholdMs: number): Signal {
  return {
    name: 'long transaction',
    kind: 'hard stop',
    intervalMs: 5_000,
    timeoutMs: 1_000,
    shared: true,
    open:
      () =>
      async ({ query }) => {
        const { rows } = await query<Oldest>(OLDEST)
        return judge(rows[0] ?? { ms: null, who: null, hidden: 0 }, thresholdMs)
      },
  }
}

function judge({ ms, who, hidden }: Oldest, thresholdMs: number): SignalSample {
  const limit = `(limit ${durationText(thresholdMs)})`
  if ((ms ?? 0) <= thresholdMs && hidden > 0) {
    return unknown(`${count(hidden, 'session')} of other roles can't be looked into: grant pg_read_all_stats`)
  }
  if (ms === null) return against(0, thresholdMs, `no open transaction ${limit}`)
  return against(ms, thresholdMs, `the transaction of ${who} is open for ${durationText(ms)} ${limit}`)
}
