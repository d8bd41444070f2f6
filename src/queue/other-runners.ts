import type { Query } from '../databases/database.js'
import type { Tables } from '../schema/tables.js'
import { timeSql } from './time-sql.js'

/** Runners of other processes that hold a lease, and the batches so far of what they hold. */
export async function readOtherRunners(
  query: Query,
  tables: Tables,
  owner: string,
): Promise<{ runners: number; batches: number }> {
  const { now } = timeSql(tables.dialect)
  const leased = `lease_owner <> $1 AND lease_expires_at > ${now}`
  const { rows } = await query<{ runners: number; batches: number }>(
    `SELECT
      CAST(count(DISTINCT lease_owner) AS INTEGER) AS runners,
      CAST(COALESCE(sum(batches), 0) AS DOUBLE PRECISION) AS batches
    FROM (
      SELECT lease_owner, batches FROM ${tables.queue} WHERE ${leased}
      UNION ALL
      SELECT lease_owner, batches FROM ${tables.lanes} WHERE ${leased}
    ) AS held`,
    [owner],
  )
  return rows[0] ?? { runners: 0, batches: 0 }
}
