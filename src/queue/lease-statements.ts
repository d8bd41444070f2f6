import type { TimeSql } from './time-sql.js'

/** Statements on the lease of a row, in the table of updates or of lanes. */
export function leaseStatements(table: string, time: TimeSql) {
  return {
    /** $1 name, $2 token, $3 lease ms. */
    renew: `
UPDATE ${table}
SET lease_expires_at = ${time.after('$3')}
WHERE update_name = $1
  AND lease_token = $2`,

    /** $1 name, $2 token. */
    release: `
UPDATE ${table}
SET lease_owner = NULL,
    lease_token = NULL,
    lease_expires_at = NULL
WHERE update_name = $1
  AND lease_token = $2`,
  } as const
}
