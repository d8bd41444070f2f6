import { requireComparable } from '../../databases/catalogue/compared-columns.js'
import { describeTable, type TableDescription } from '../../databases/catalogue/table.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import { comparedColumns } from './compared-columns.js'
import type { Constraint } from './constraint.js'
import { ownColumns } from './constraint-sql.js'
import type { ViolationsFound } from './errors.js'
import { keyComparisons } from './key-comparisons.js'
import { violationPredicate } from './violation.js'

const SAMPLES = 5
const LONGEST_VALUE = 100

/**
 * Counts the rows of a PostgreSQL table that violate a constraint, and shows the first of them by their key and the
 * columns of the constraint. It reads the whole table: once for the count, and up to the last sample.
 *
 * @throws SchemaMismatchError when its columns can't be compared as the constraint compares them
 */
export async function findViolations(
  query: Query,
  relation: PostgresRelation,
  constraint: Constraint,
  constraintName: string,
): Promise<ViolationsFound> {
  const reader = { query, dialect: 'postgres' } as const
  const table = await describeTable(reader, relation)
  const key = keyColumns(table)
  const walked = constraint.kind === 'unique' ? key.map((column) => ({ table, column })) : []
  await requireComparable(reader, [...comparedColumns(constraint, relation), ...walked])
  const source = quoteTable(relation, 'postgres')
  const predicate = violationPredicate(constraint, {
    dialect: 'postgres',
    row: relation.name,
    table: relation,
    key,
    comparisons: await keyComparisons(query, relation, constraintName, constraint),
  })
  const counted = await query<{ violations: number }>(`
    SELECT count(*)::float8 AS violations
    FROM ${source}
    WHERE ${predicate}`)
  const samples = await query(`
    SELECT ${sampleColumns(table, constraint, relation.name)}
    FROM ${source}
    WHERE ${predicate}
    LIMIT ${SAMPLES}`)
  return { count: counted.rows[0]?.violations ?? null, samples: samples.rows }
}

/** A select list that shows enough of a row to find it: its key, and the columns of the constraint. All are text. */
export function sampleColumns(table: TableDescription, constraint: Constraint, row: string): string {
  const names = [...new Set([...(table.primaryKey?.columns ?? []), ...ownColumns(constraint)])]
  const shown = names.length === 0 ? table.columns.map((column) => column.name) : names
  return shown
    .map((name) => quoteIdentifier(name, 'postgres'))
    .map((column) => `left(${quoteIdentifier(row, 'postgres')}.${column}::text, ${LONGEST_VALUE}) AS ${column}`)
    .join(', ')
}

// Rows without a key are told apart by where they are stored.
function keyColumns(table: TableDescription): readonly string[] {
  return table.uniqueKeys.find((key) => key.notNull)?.columns ?? ['tableoid', 'ctid']
}
