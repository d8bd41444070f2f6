import type { Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import { readExpression } from './range.js'
import type { WalkPlan } from './walk.js'

// Types whose text can be read back whatever the session's settings are: a cast that fails would end the transaction.
const READABLE = new Set([
  'int2', 'int4', 'int8', 'numeric', 'uuid', 'text', 'varchar', 'bpchar', 'date', 'timestamp', 'timestamptz',
]) // prettier-ignore

// Values that are too frequent for a histogram stand in a list of their own; a column of many such isn't told by it.
const MAX_FREQUENT = 0.1

/**
 * The bounds of PostgreSQL's histogram over the key's first column, in their order and as keys hold them: between two
 * of them there are about as many rows. Null where there is none: never analysed, no rights, another type, SQLite.
 */
export async function readHistogram(query: Query, { table, key }: WalkPlan): Promise<JsonValue[] | null> {
  const [column] = key.columns
  const description = table.columns.find(({ name }) => name === column?.name)
  if (key.dialect !== 'postgres' || column === undefined || !READABLE.has(description?.typeName ?? '')) return null
  const { rows } = await query<{ bound: string }>(
    `
    SELECT ${readExpression(column, 'bounds.bound')} AS bound
    FROM pg_stats AS stats
    CROSS JOIN unnest(stats.histogram_bounds::text::${description?.castType}[]) WITH ORDINALITY AS bounds (bound, place)
    WHERE stats.schemaname = $1
      AND stats.tablename = $2
      AND stats.attname = $3
      AND stats.inherited = $4
      AND coalesce((SELECT sum(frequency) FROM unnest(stats.most_common_freqs) AS frequency), 0) < ${MAX_FREQUENT}
    ORDER BY bounds.place`,
    [table.schema, table.name, column.name, table.kind === 'partitioned table'],
  )
  return rows.length > 1 ? rows.map(({ bound }) => bound) : null
}
