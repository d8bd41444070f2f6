import type { ReadContext } from '../../databases/database.js'
import type { WalkPlan } from '../../keyset/walk.js'

/** What a table is written under, on one connection. */
export interface WriteConditions {
  /** Something may be checked as late as at COMMIT: a constraint of it or of its partitions, or of what a trigger writes. */
  readonly checkedLate: boolean
  /** The session reads NULL in the text of an array as NULL, and not as the text 'NULL' (`array_nulls`). */
  readonly arrayNulls: boolean
}

// Foreign keys, from either side, and unique and exclusion constraints that are deferrable have triggers that are, too.
const CONDITIONS = `
  SELECT EXISTS (
    SELECT
    FROM pg_trigger
    WHERE (tgdeferrable OR NOT tgisinternal)
      AND (
        tgrelid = $1::text::regclass
        OR tgrelid IN (SELECT relid FROM pg_partition_tree($1::text::regclass))
      )
  )::int AS checked_late,
  (current_setting('array_nulls') = 'on')::int AS array_nulls`

export async function readConditions({ query, dialect }: ReadContext, plan: WalkPlan): Promise<WriteConditions> {
  if (dialect !== 'postgres') return { checkedLate: false, arrayNulls: true }
  const [found] = (await query<{ checked_late: number; array_nulls: number }>(CONDITIONS, [plan.tableSql])).rows
  return { checkedLate: found?.checked_late === 1, arrayNulls: found?.array_nulls === 1 }
}
