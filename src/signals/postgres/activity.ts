import type { Query } from '../../databases/database.js'
import { OUR_COMMENT } from '../../databases/statement-comment.js'
import type { SignalContext } from '../signal.js'

/** One look at the sessions of the server, shared by the signals that are sampled together. */
export interface Activity {
  /** Clients that run something, and wait neither for a lock nor for their commit to be kept; ours left out. */
  readonly active: number
  /** Those of them whose statement has run for 50 ms: short ones are told better by commits per second. */
  readonly atLength: number
  /** Process ids of clients that wait for a lock; ours left out. */
  readonly lockWaiters: readonly number[]
  /** Process ids of sessions, ours too, that rest after a look at our queue: a runner without work looks once a second. */
  readonly lookers: readonly number[]
  /** Sessions of other roles of which this role may see next to nothing. */
  readonly hidden: number
}

// Ours set `evenkeel:<update>` for the length of a transaction; everybody may see the names of applications.
export const NOT_OURS = `starts_with(application_name, 'evenkeel:') IS NOT TRUE`

// The last statement of a session was one on tables of ours, as of a runner that looks whether there is work.
const OF_OUR_QUEUE = `strpos(query, 'background_update') > 0`
/** It was one of ours outside a transaction that has our name, or the end of one that had it. */
export const OURS_BY_TEXT = `(${OF_OUR_QUEUE} OR strpos(query, '${OUR_COMMENT}') > 0)`

// Who waits until his commit is on disk, or on a replica, leaves the cores alone, and a distant replica has dozens wait.
// Spelt another way from version 17 on: WALSync is WalSync there.
const KEEPS_COMMIT = `lower(wait_event) IN ('walsync', 'walwrite', 'syncrep')`

// Of a session that this role may not look into only ids and names are shown: its backend_type is NULL.
const ACTIVITY = `
  SELECT
    count(*) FILTER (
      WHERE state = 'active'
        AND wait_event_type IS DISTINCT FROM 'Lock'
        AND ${KEEPS_COMMIT} IS NOT TRUE
        AND NOT ${OURS_BY_TEXT}
    )::int AS active,
    count(*) FILTER (
      WHERE state = 'active'
        AND wait_event_type IS DISTINCT FROM 'Lock'
        AND query_start < clock_timestamp() - interval '50 milliseconds'
        AND NOT ${OURS_BY_TEXT}
    )::int AS at_length,
    coalesce(jsonb_agg(pid) FILTER (WHERE wait_event_type = 'Lock'), '[]')::text AS lock_waiters,
    coalesce(
      jsonb_agg(pid) FILTER (
        WHERE state = 'idle'
          AND state_change > clock_timestamp() - interval '3 seconds'
          AND ${OF_OUR_QUEUE}
      ),
      '[]'
    )::text AS lookers,
    count(*) FILTER (WHERE backend_type IS NULL AND usesysid IS NOT NULL)::int AS hidden
  FROM pg_stat_activity
  WHERE pid <> pg_backend_pid()
    AND (backend_type = 'client backend' OR backend_type IS NULL)
    AND ${NOT_OURS}`

interface ActivityRow {
  active: number
  at_length: number
  lock_waiters: string
  lookers: string
  hidden: number
}

// Invariant: the looks of transactions that are still under way; each transaction has a query function of its own.
const looks = new WeakMap<Query, Promise<Activity>>()

/** The look of the transaction that this signal is sampled in: whoever asks first takes it. */
export function activityOf({ query }: SignalContext): Promise<Activity> {
  const known = looks.get(query)
  if (known) return known
  const look = readActivity(query)
  looks.set(query, look)
  return look
}

async function readActivity(query: Query): Promise<Activity> {
  const { rows } = await query<ActivityRow>(ACTIVITY)
  const row = rows[0]
  return {
    active: row?.active ?? 0,
    atLength: row?.at_length ?? 0,
    lockWaiters: JSON.parse(row?.lock_waiters ?? '[]') as number[],
    lookers: JSON.parse(row?.lookers ?? '[]') as number[],
    hidden: row?.hidden ?? 0,
  }
}
