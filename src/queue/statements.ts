import type { Tables } from '../schema/tables.js'
import { MAX_INTEGER } from './columns.js'
import { isFreeLane } from './lane-statements.js'
import { leaseStatements } from './lease-statements.js'
import { BELIEVED_MS, namesOf, timeSql } from './time-sql.js'

/**
 * Every statement on the queue, once for both databases: they differ only in their clock. What a runner writes into a
 * row that it holds carries its lease token, so that one that lost its lease changes nothing. Two go by the name alone:
 * `tell`, whose words are believed for a moment only, and the `deleteAny` that ends an update in lanes, which is rolled
 * back unless the lane's own statement, with its token, changed a row in the same transaction.
 */
export function queueStatements(tables: Tables) {
  const { queue, lanes, settings } = tables
  const time = timeSql(tables.dialect)
  const leaseIsLive = `lease_token IS NOT NULL AND lease_expires_at > ${time.now}`
  // By code point, whatever the locale of the database: the order of a queue must not depend on it.
  const byName = tables.dialect === 'postgres' ? 'update_name COLLATE "C"' : 'update_name'
  const isEnabled = `NOT EXISTS (
    SELECT 1
    FROM ${settings}
    WHERE name = 'disabled'
  )`
  const firstHolder = (column: string) => `
      SELECT ${column}
      FROM ${lanes} AS held
      WHERE held.update_name = ${queue}.update_name
        AND held.lease_token IS NOT NULL
        AND held.lease_expires_at > ${time.now}
      ORDER BY held.lane
      LIMIT 1`
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
    CASE
      WHEN ${leaseIsLive} THEN COALESCE(lease_owner, 'unknown')
      WHEN lane_count > 0 THEN (${firstHolder("COALESCE(held.lease_owner, 'unknown')")})
    END AS leaseowner,
    CASE
      WHEN ${leaseIsLive} THEN ${time.text('lease_expires_at')}
      WHEN lane_count > 0 THEN (${firstHolder(time.text('held.lease_expires_at'))})
    END AS leaseuntil,
    lane_count AS lanecount,
    CASE WHEN lane_count > 0 THEN EXISTS (
      SELECT 1
      FROM ${lanes} AS free
      WHERE free.update_name = ${queue}.update_name
        AND ${isFreeLane(time.now)}
    ) END AS hasfreelane,
    CASE WHEN waiting_until > ${time.now} THEN waiting_text END AS waitingtext`

  const candidates = (amongNames: string) => `
SELECT ${rowColumns}
FROM ${queue}
WHERE state = 'queued'
  ${amongNames}
  AND ${isEnabled}
  AND (ordering, ${byName}) > (CAST($1 AS BIGINT), $2)
ORDER BY ordering, ${byName}
LIMIT $3`

  const existsEarlier = (isEarlier: string, amongKnown: string) => `EXISTS (
    SELECT 1
    FROM ${queue} AS earlier
    ${amongKnown}
    WHERE ${isEarlier}
      AND earlier.state = 'queued'
      AND COALESCE(earlier.lease_expires_at <= ${time.now} OR earlier.lease_owner = $3, TRUE)
  )`
  // Two instead of one row comparison: of that, SQLite's index serves the first column only when it is compared with
  // columns, and a queue of a hundred thousand with the same ordering would be read whole before every batch.
  const fence = (amongKnown: string, held: 'update' | 'lane' = 'update') => `
SELECT
  ${held === 'update' ? 'mine' : 'lane'}.progress_json AS progressjson,
  mine.depends_on AS dependson,
  ${held === 'update' ? '' : 'lane.version AS laneversion, lane.attempts > 0 AS lanefailed,'}
  EXISTS (
    SELECT 1
    FROM ${queue} AS dependency
    WHERE dependency.update_name IN ${namesOf('$4', tables.dialect)}
  )
  OR ${existsEarlier('earlier.ordering < mine.ordering', amongKnown)}
  OR ${existsEarlier(`earlier.ordering = mine.ordering AND earlier.${byName} < mine.${byName}`, amongKnown)} AS overtaken
FROM ${queue} AS mine
${held === 'update' ? '' : `JOIN ${lanes} AS lane ON lane.update_name = mine.update_name`}
WHERE mine.update_name = $1
  AND ${held === 'update' ? 'mine' : 'lane'}.lease_token = $2
  AND mine.state = 'queued'
  AND ${isEnabled}`

  return {
    ...leaseStatements(queue, time),

    /** None while the database is disabled. $1 ordering and $2 name of the last row seen, $3 how many, $4 JSON array of names. */
    candidates: candidates(`AND update_name IN ${namesOf('$4', tables.dialect)}`),

    /** The same with whatever name. */
    candidatesOfAll: candidates(''),

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

    /** $1 name, $2 progress, $3 depends_on, $4 ordering, $5 by. */
    enqueue: `
INSERT INTO ${queue} (update_name, progress_json, depends_on, ordering, enqueued_at, enqueued_by)
VALUES ($1, $2, $3, $4, ${time.now}, $5)
ON CONFLICT (update_name) DO NOTHING`,

    /**
     * $1 name, $2 owner, $3 token, $4 lease ms, $5 fingerprint. The same rule for a live lease as `rowColumns`, or the
     * picker would spin. Before the first batch any definition may have the row.
     */
    claim: `
UPDATE ${queue}
SET lease_owner = $2,
    lease_token = $3,
    lease_expires_at = ${time.after('$4')},
    fingerprint = CASE
      WHEN batches = 0 AND lane_count = 0 THEN CAST($5 AS TEXT)
      ELSE COALESCE(fingerprint, CAST($5 AS TEXT))
    END
WHERE update_name = $1
  AND state = 'queued'
  AND lane_count = 0
  AND (COALESCE(NOT (${leaseIsLive}), TRUE) OR lease_owner = $2)
RETURNING
  tuner_json AS tunerjson,
  statistics_json AS statisticsjson,
  fingerprint,
  CAST(batches AS DOUBLE PRECISION) AS batches`,

    /**
     * Still ours and runnable? And must another go first? $1 name, $2 token, $3 owner, $4 JSON array of the names of its
     * dependencies, $5 JSON array of the names that this runner has handlers for.
     */
    fence: fence(`JOIN ${namesOf('$5', tables.dialect)} AS known ON known.name = earlier.update_name`),

    /** The same for a runner with so many handlers that going through them would cost more than the batch. */
    fenceOfMany: fence(''),

    /** The fence of a lane's batch, with the same parameters. */
    laneFence: fence(`JOIN ${namesOf('$5', tables.dialect)} AS known ON known.name = earlier.update_name`, 'lane'),

    laneFenceOfMany: fence('', 'lane'),

    /** $1 name, $2 token, $3 progress, $4 items, $5 busy ms, $6 batch size, $7 tuner, $8 statistics, $9 lease ms, $10 why batches are kept apart. */
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
    started_at = COALESCE(started_at, ${time.now}),
    waiting_text = $10,
    waiting_until = CASE WHEN CAST($10 AS TEXT) IS NOT NULL THEN ${time.after(String(BELIEVED_MS))} END
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 why it waits, $3 for how many ms. */
    tell: `
UPDATE ${queue}
SET waiting_text = $2,
    waiting_until = ${time.after('$3')}
WHERE update_name = $1`,

    /** $1 name, $2 token. */
    countersOfFailure: `
SELECT attempts, outcomes
FROM ${queue}
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token, $3 state, $4 attempts, $5 outcomes, $6 error, $7 back-off ms. A pause that came meanwhile stays. */
    saveFailure: `
UPDATE ${queue}
SET state = CASE WHEN state = 'paused' THEN state ELSE $3 END,
    attempts = $4,
    outcomes = $5,
    last_error = $6,
    retry_at = ${time.after('$7')},
    failures = CASE WHEN failures < ${MAX_INTEGER} THEN failures + 1 ELSE failures END,
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
     * $1 name, $2 by, $3 reason. A failed update isn't paused: it stays failed until it is retried. Who pauses again and
     * gives no reason leaves the reason that is there, with whose it is.
     */
    pause: `
UPDATE ${queue}
SET state = 'paused',
    state_by = CASE WHEN CAST($3 AS TEXT) IS NULL AND state_reason IS NOT NULL THEN state_by ELSE $2 END,
    state_reason = COALESCE(CAST($3 AS TEXT), state_reason)
WHERE update_name = $1
  AND state <> 'failed'`,

    /** $1 name, $2 token, $3 by, $4 reason, $5 error: it gives the lease back. */
    pauseOwn: `
UPDATE ${queue}
SET state = 'paused',
    state_by = $3,
    state_reason = $4,
    last_error = $5,
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 fingerprint of the definition that may go on; NULL for whichever comes first. */
    acceptDefinition: `
UPDATE ${queue}
SET fingerprint = $2
WHERE update_name = $1`,

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

    /** $1 name, $2 progress. A batch that began from the old one loses its lease: it would save its own over this. */
    replaceProgress: `
UPDATE ${queue}
SET progress_json = $2,
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1`,

    /** $1 name. */
    progressOf: `
SELECT progress_json AS progressjson
FROM ${queue}
WHERE update_name = $1`,
  } as const
}

export type QueueStatements = ReturnType<typeof queueStatements>
