import type { Tables } from '../schema/tables.js'
import { namesOf, timeSql } from './time-sql.js'

/** Statements on what has left the queue, once for both databases. */
export function historyStatements(tables: Tables) {
  const { queue, history } = tables
  const time = timeSql(tables.dialect)
  return {
    /** $1 JSON array of names. */
    finishedAmong: `
SELECT DISTINCT update_name AS name
FROM ${history}
WHERE update_name IN ${namesOf('$1', tables.dialect)}`,

    /** $1 name. */
    lastOutcome: `
SELECT outcome
FROM ${history}
WHERE update_name = $1
ORDER BY id DESC
LIMIT 1`,

    /** $1 name. */
    lastCompleted: `
SELECT progress_json AS progressjson
FROM ${history}
WHERE update_name = $1
  AND outcome = 'completed'
ORDER BY id DESC
LIMIT 1`,

    /**
     * A row of the queue into the history. $1 name, $2 outcome, $3 by, $4 reason, $5 last progress or NULL, and what
     * the last batch added: $6 batches, $7 items, $8 busy ms.
     */
    remember: `
INSERT INTO ${history} (update_name, outcome, enqueued_at, enqueued_by, started_at, finished_at, finished_by, reason,
  batches, items, busy_ms, failures, last_error, progress_json)
SELECT update_name, CAST($2 AS TEXT), enqueued_at, enqueued_by, COALESCE(started_at, ${time.now}), ${time.now}, CAST($3 AS TEXT), CAST($4 AS TEXT),
  batches + $6, items + $7, busy_ms + $8, failures, last_error, COALESCE(CAST($5 AS TEXT), progress_json)
FROM ${queue}
WHERE update_name = $1`,

    /** An update that never was in the queue. $1 name, $2 outcome, $3 by, $4 reason. */
    rememberUnqueued: `
INSERT INTO ${history} (update_name, outcome, finished_at, finished_by, reason)
VALUES ($1, $2, ${time.now}, $3, $4)`,

    /** $1 most rows, newest first. */
    latest: `
SELECT
  CAST(id AS DOUBLE PRECISION) AS id,
  update_name AS name,
  outcome,
  ${time.text('enqueued_at')} AS enqueuedat,
  enqueued_by AS enqueuedby,
  ${time.text('started_at')} AS startedat,
  ${time.text('finished_at')} AS finishedat,
  finished_by AS finishedby,
  reason,
  CAST(batches AS DOUBLE PRECISION) AS batches,
  CAST(items AS DOUBLE PRECISION) AS items,
  busy_ms AS busyms,
  failures,
  last_error AS lasterror,
  progress_json AS progressjson
FROM ${history}
ORDER BY id DESC
LIMIT $1`,
  } as const
}

export type HistoryStatements = ReturnType<typeof historyStatements>
