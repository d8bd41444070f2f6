import type { Tables } from '../schema/tables.js'
import { namesOf, timeSql } from './time-sql.js'

/**
 * Every statement on the queue, once for both databases: they differ only in their clock. All of a runner's writes
 * carry its lease token, so that one that lost its lease changes nothing.
 */
export function queueStatements(tables: Tables) {
  const { queue, history, settings } = tables
  const time = timeSql(tables.dialect)
  const leaseIsLive = `lease_token IS NOT NULL AND lease_expires_at > ${time.now}`
  // By code point, whatever the locale of the database: the order of a queue must not depend on it.
  const byName = tables.dialect === 'postgres' ? 'update_name COLLATE "C"' : 'update_name'
  const isEnabled = `NOT EXISTS (
    SELECT 1
    FROM ${settings}
    WHERE name = 'disabled'
  )`
  const rowColumns = `
    update_name AS name,
    ordering,
    depends_on AS dependson,
    state,
    state_by AS stateby,
    state_reason AS statereason,
    attempts,
    last_error AS lasterror,
    CASE WHEN retry_at > ${time.now} THEN ${time.text('retry_at')} END AS backsoffuntil,
    CASE WHEN ${leaseIsLive} THEN COALESCE(lease_owner, 'unknown') END AS leaseowner,
    CASE WHEN ${leaseIsLive} THEN ${time.text('lease_expires_at')} END AS leaseuntil`

  return {
    /** None while the database is disabled. $1 JSON array of names with a handler, $2 ordering and $3 name of the last row seen, $4 how many. */
    candidates: `
SELECT ${rowColumns}
FROM ${queue}
WHERE update_name IN ${namesOf('$1', tables.dialect)}
  AND state = 'queued'
  AND ${isEnabled}
  AND (ordering > CAST($2 AS BIGINT) OR (ordering = CAST($2 AS BIGINT) AND ${byName} > $3))
ORDER BY ordering, ${byName}
LIMIT $4`,

    allRows: `
SELECT ${rowColumns}
FROM ${queue}
ORDER BY ordering, ${byName}`,

    allDetails: `
SELECT ${rowColumns},
  progress_json AS progressjson,
  ${time.text('enqueued_at')} AS enqueuedat,
  ${time.text('started_at')} AS startedat,
  CAST(batches AS DOUBLE PRECISION) AS batches,
  CAST(items AS DOUBLE PRECISION) AS items,
  busy_ms AS busyms,
  failures,
  batch_size AS batchsize,
  statistics_json AS statisticsjson
FROM ${queue}
ORDER BY ordering, ${byName}`,

    /** $1 JSON array of names. */
    queuedAmong: `
SELECT update_name AS name
FROM ${queue}
WHERE update_name IN ${namesOf('$1', tables.dialect)}`,

    anyQueued: `
SELECT 1 AS found
FROM ${queue}
LIMIT 1`,

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

    /** $1 name, $2 progress, $3 depends_on, $4 ordering, $5 by. */
    enqueue: `
INSERT INTO ${queue} (update_name, progress_json, depends_on, ordering, enqueued_at, enqueued_by)
VALUES ($1, $2, $3, $4, ${time.now}, $5)
ON CONFLICT (update_name) DO NOTHING`,

    /** $1 name. */
    lastCompleted: `
SELECT progress_json AS progressjson
FROM ${history}
WHERE update_name = $1
  AND outcome = 'completed'
ORDER BY id DESC
LIMIT 1`,

    /** $1 name, $2 owner, $3 token, $4 lease ms. The same rule for a live lease as `rowColumns`, or the picker would spin. */
    claim: `
UPDATE ${queue}
SET lease_owner = $2,
    lease_token = $3,
    lease_expires_at = ${time.after('$4')}
WHERE update_name = $1
  AND state = 'queued'
  AND (COALESCE(NOT (${leaseIsLive}), TRUE) OR lease_owner = $2)
RETURNING tuner_json AS tunerjson, statistics_json AS statisticsjson`,

    /** $1 name, $2 token, $3 lease ms. */
    renew: `
UPDATE ${queue}
SET lease_expires_at = ${time.after('$3')}
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token. */
    release: `
UPDATE ${queue}
SET lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token: still ours and runnable? */
    fence: `
SELECT progress_json AS progressjson
FROM ${queue}
WHERE update_name = $1
  AND lease_token = $2
  AND state = 'queued'
  AND ${isEnabled}`,

    /** $1 name, $2 token, $3 progress, $4 items, $5 busy ms, $6 batch size, $7 tuner, $8 statistics, $9 lease ms. */
    saveBatch: `
UPDATE ${queue}
SET progress_json = $3,
    items = items + $4,
    busy_ms = busy_ms + $5,
    batch_size = $6,
    tuner_json = $7,
    statistics_json = $8,
    lease_expires_at = ${time.after('$9')},
    batches = batches + 1,
    attempts = 0,
    outcomes = substr(outcomes || '.', CASE WHEN length(outcomes) < 20 THEN 1 ELSE length(outcomes) - 18 END),
    last_error = NULL,
    retry_at = NULL,
    started_at = COALESCE(started_at, ${time.now})
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token. */
    countersOfFailure: `
SELECT attempts, outcomes
FROM ${queue}
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token, $3 state, $4 attempts, $5 outcomes, $6 error, $7 back-off ms. */
    saveFailure: `
UPDATE ${queue}
SET state = $3,
    attempts = $4,
    outcomes = $5,
    last_error = $6,
    retry_at = ${time.after('$7')},
    failures = failures + 1,
    started_at = COALESCE(started_at, ${time.now}),
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2
RETURNING ${time.text('retry_at')} AS retryat`,

    /** $1 name, $2 token. */
    deleteOwn: `
DELETE FROM ${queue}
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name. */
    deleteAny: `
DELETE FROM ${queue}
WHERE update_name = $1`,

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

    /** $1 name, $2 by, $3 reason. A failed update isn't paused: it stays failed until it is retried. */
    pause: `
UPDATE ${queue}
SET state = 'paused',
    state_by = $2,
    state_reason = $3
WHERE update_name = $1
  AND state <> 'failed'`,

    /** $1 name. */
    resume: `
UPDATE ${queue}
SET state = 'queued',
    state_by = NULL,
    state_reason = NULL
WHERE update_name = $1
  AND state = 'paused'`,

    /** $1 name. A paused update stays paused: that is another person's decision. */
    retry: `
UPDATE ${queue}
SET state = CASE WHEN state = 'failed' THEN 'queued' ELSE state END,
    attempts = 0,
    outcomes = '',
    last_error = NULL,
    retry_at = NULL
WHERE update_name = $1`,

    /** $1 name, $2 progress. */
    replaceProgress: `
UPDATE ${queue}
SET progress_json = $2
WHERE update_name = $1`,

    /** $1 name. */
    progressOf: `
SELECT progress_json AS progressjson
FROM ${queue}
WHERE update_name = $1`,

    /** $1 most rows, newest first. */
    history: `
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

    readSetting: `
SELECT value_json AS valuejson
FROM ${settings}
WHERE name = $1`,

    /** $1 name, $2 JSON, $3 by. */
    writeSetting: `
INSERT INTO ${settings} (name, value_json, changed_at, changed_by)
VALUES ($1, $2, ${time.now}, $3)
ON CONFLICT (name) DO UPDATE
SET value_json = excluded.value_json,
    changed_at = excluded.changed_at,
    changed_by = excluded.changed_by`,

    /** $1 name. */
    deleteSetting: `
DELETE FROM ${settings}
WHERE name = $1`,
  } as const
}

export type QueueStatements = ReturnType<typeof queueStatements>
