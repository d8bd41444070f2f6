import type { Tables } from '../schema/tables.js'
import { MAX_INTEGER } from './columns.js'
import { leaseStatements } from './lease-statements.js'
import { BELIEVED_MS, timeSql } from './time-sql.js'

/**
 * Every statement on the lanes of split updates. Whoever locks an update and its lanes locks the update first. What a
 * lane's holder writes into his lane carries its token; what changes a lane's range or progress carries the version that
 * it was read at, so that of two who change it at the same time one fails.
 *
 * What he writes into the update goes by its name, for the token is the lane's. `countBatch`, `join` and `deleteAll` are
 * rolled back unless `saveBatch`, with the token, changed a row in the same transaction; before `countFailure`,
 * `countersOfFailure` has found the token there; `adoptFingerprint` changes nothing that is set.
 */
export function laneStatements(tables: Tables) {
  const { queue, lanes } = tables
  const time = timeSql(tables.dialect)
  const isFree = isFreeLane(time.now)

  return {
    ...leaseStatements(lanes, time),

    /** Splits an update that is held. $1 name, $2 token, $3 progress of the whole, $4 how many. */
    split: `
UPDATE ${queue}
SET lane_count = $4,
    progress_json = $3,
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2
  AND state = 'queued'
  AND lane_count = 0`,

    /** $1 name, $2 lane, $3 progress, $4 batch size, $5 tuner, $6 statistics. */
    insert: `
INSERT INTO ${lanes} (update_name, lane, progress_json, batch_size, tuner_json, statistics_json)
VALUES ($1, $2, $3, $4, $5, $6)`,

    /** $1 name, $2 owner, $3 token, $4 lease ms. Two that claim at the same time don't wait for each other. */
    claim: `
UPDATE ${lanes}
SET lease_owner = $2,
    lease_token = $3,
    lease_expires_at = ${time.after('$4')}
WHERE update_name = $1
  AND lane = (
    SELECT free.lane
    FROM ${lanes} AS free
    WHERE free.update_name = $1
      AND ${isFree}
      AND EXISTS (
        SELECT 1
        FROM ${queue}
        WHERE update_name = $1
          AND state = 'queued'
      )
    ORDER BY free.lane
    LIMIT 1
    FOR UPDATE SKIP LOCKED
  )
RETURNING
  lane,
  tuner_json AS tunerjson,
  statistics_json AS statisticsjson,
  (
    SELECT fingerprint
    FROM ${queue}
    WHERE update_name = $1
  ) AS fingerprint,
  (
    SELECT CAST(batches AS DOUBLE PRECISION)
    FROM ${queue}
    WHERE update_name = $1
  ) AS wholebatches`,

    /**
     * Of several with different definitions, the first sets it. A statement of its own, behind `claim`: in the same one
     * the update would be locked after its lane. $1 name, $2 fingerprint.
     */
    adoptFingerprint: `
UPDATE ${queue}
SET fingerprint = COALESCE(fingerprint, CAST($2 AS TEXT))
WHERE update_name = $1
RETURNING fingerprint`,

    /** $1 name. Waits for whoever else has locked it. */
    lockUpdate: `
SELECT progress_json AS progressjson
FROM ${queue}
WHERE update_name = $1
FOR UPDATE`,

    /**
     * What a batch of a lane adds to its update. $1 name, $2 items, $3 busy ms, $4 batch size, $5 the lane had failed before,
     * $6 why batches are kept apart.
     */
    countBatch: `
UPDATE ${queue}
SET items = items + $2,
    busy_ms = busy_ms + $3,
    batch_size = $4,
    batches = batches + 1,
    attempts = CASE WHEN $5::boolean THEN 0 ELSE attempts END,
    last_error = CASE WHEN $5::boolean THEN NULL ELSE last_error END,
    waiting_text = $6,
    waiting_until = CASE WHEN CAST($6 AS TEXT) IS NOT NULL THEN ${time.after(String(BELIEVED_MS))} END,
    started_at = COALESCE(started_at, ${time.now})
WHERE update_name = $1`,

    /** $1 name, $2 token, $3 version, $4 progress, $5 items, $6 busy ms, $7 batch size, $8 tuner, $9 statistics, $10 lease ms. */
    saveBatch: `
UPDATE ${lanes}
SET progress_json = $4,
    items = items + $5,
    busy_ms = busy_ms + $6,
    batch_size = $7,
    tuner_json = $8,
    statistics_json = $9,
    lease_expires_at = ${time.after('$10')},
    batches = batches + 1,
    version = version + 1,
    attempts = 0,
    outcomes = substr(outcomes || '.', CASE WHEN length(outcomes) < 20 THEN 1 ELSE length(outcomes) - 18 END),
    retry_at = NULL
WHERE update_name = $1
  AND lease_token = $2
  AND version = $3`,

    /** $1 name, $2 token. */
    finish: `
UPDATE ${lanes}
SET finished = TRUE,
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2`,

    /** All lanes have ended and the update goes on as one. $1 name, $2 progress, $3 tuner, $4 statistics. */
    join: `
UPDATE ${queue}
SET lane_count = 0,
    progress_json = $2,
    tuner_json = $3,
    statistics_json = $4,
    attempts = 0,
    outcomes = '',
    last_error = NULL,
    retry_at = NULL
WHERE update_name = $1`,

    /** $1 name. */
    deleteAll: `
DELETE FROM ${lanes}
WHERE update_name = $1`,

    /** $1 name, $2 token. */
    countersOfFailure: `
SELECT attempts, outcomes
FROM ${lanes}
WHERE update_name = $1
  AND lease_token = $2
FOR UPDATE`,

    /** $1 name, $2 state, $3 attempts, $4 error. A person who paused it meanwhile has the last word. */
    countFailure: `
UPDATE ${queue}
SET state = CASE WHEN $2 = 'failed' THEN 'failed' ELSE state END,
    attempts = $3,
    last_error = $4,
    failures = CASE WHEN failures < ${MAX_INTEGER} THEN failures + 1 ELSE failures END,
    started_at = COALESCE(started_at, ${time.now})
WHERE update_name = $1`,

    /** $1 name, $2 token, $3 attempts, $4 outcomes, $5 back-off ms. */
    saveFailure: `
UPDATE ${lanes}
SET attempts = $3,
    outcomes = $4,
    retry_at = ${time.after('$5')},
    lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2
RETURNING ${time.text('retry_at')} AS retryat`,

    /** A person has to decide. $1 name, $2 token, $3 by, $4 reason, $5 error. */
    pauseOwn: `
UPDATE ${queue}
SET state = 'paused',
    state_by = $3,
    state_reason = $4,
    last_error = $5
WHERE update_name = $1
  AND state = 'queued'
  AND EXISTS (
    SELECT 1
    FROM ${lanes}
    WHERE update_name = $1
      AND lease_token = $2
  )`,

    /** $1 name. */
    retry: `
UPDATE ${lanes}
SET attempts = 0,
    outcomes = '',
    retry_at = NULL
WHERE update_name = $1`,

    /** $1 name, NULL for those of all updates. */
    all: `
SELECT
  update_name AS updatename,
  lane,
  progress_json AS progressjson,
  version,
  finished,
  CAST(items AS DOUBLE PRECISION) AS items,
  CAST(batches AS DOUBLE PRECISION) AS batches,
  batch_size AS batchsize,
  tuner_json AS tunerjson,
  statistics_json AS statisticsjson,
  attempts,
  CASE WHEN ${isLive(time.now)} THEN COALESCE(lease_owner, 'unknown') END AS leaseowner,
  CASE WHEN retry_at > ${time.now} THEN ${time.text('retry_at')} END AS backsoffuntil
FROM ${lanes}
WHERE update_name = $1 OR CAST($1 AS TEXT) IS NULL
ORDER BY update_name, lane`,

    /** Takes the end of a lane away. $1 name, $2 lane, $3 version, $4 progress. */
    shorten: `
UPDATE ${lanes}
SET progress_json = $4,
    version = version + 1
WHERE update_name = $1
  AND lane = $2
  AND version = $3
  AND NOT finished`,

    /** One more lane of an update. $1 name. */
    countLane: `
UPDATE ${queue}
SET lane_count = lane_count + 1
WHERE update_name = $1
  AND lane_count > 0
RETURNING lane_count AS lanes`,

    /** Batches that may be under way on this database now, over all processes. */
    liveLeases: `
SELECT CAST((
  SELECT count(*)
  FROM ${queue}
  WHERE ${isLive(time.now)}
) + (
  SELECT count(*)
  FROM ${lanes}
  WHERE ${isLive(time.now)}
) AS INTEGER) AS live`,
  } as const
}

export type LaneStatements = ReturnType<typeof laneStatements>

function isLive(now: string): string {
  return `lease_token IS NOT NULL AND lease_expires_at > ${now}`
}

/** Whether the lane `free` can be claimed. `now` is the database's clock. */
export function isFreeLane(now: string): string {
  return `NOT free.finished
      AND COALESCE(NOT (free.lease_token IS NOT NULL AND free.lease_expires_at > ${now}), TRUE)
      AND COALESCE(free.retry_at <= ${now}, TRUE)`
}
