import type { Tables } from '../schema/tables.js'
import { timeSql } from './time-sql.js'

/** Statements on the stored settings and on the audit, once for both databases. */
export function settingsStatements(tables: Tables) {
  const { settings, audit } = tables
  const time = timeSql(tables.dialect)
  return {
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

    /** Everything that is stored. */
    readAll: `
SELECT name, value_json AS valuejson, ${time.text('changed_at')} AS changedat, changed_by AS changedby
FROM ${settings}
ORDER BY name`,

    /** $1 action, $2 subject, $3 by, $4 reason, $5 before, $6 after. */
    addToAudit: `
INSERT INTO ${audit} (at, action, subject, done_by, reason, before_json, after_json)
VALUES (${time.now}, $1, $2, $3, $4, $5, $6)`,

    /** $1 most rows, newest first. */
    readAudit: `
SELECT
  CAST(id AS DOUBLE PRECISION) AS id,
  ${time.text('at')} AS at,
  done_by AS doneby,
  action,
  subject,
  reason,
  before_json AS beforejson,
  after_json AS afterjson
FROM ${audit}
ORDER BY id DESC
LIMIT $1`,

    /** $1 subject. */
    lastChange: `
SELECT done_by AS doneby, reason
FROM ${audit}
WHERE subject = $1
  AND action = 'set'
ORDER BY id DESC
LIMIT 1`,
  } as const
}
