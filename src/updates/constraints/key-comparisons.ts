import { findPostgresConstraint, type KeyComparison } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import type { Constraint } from './constraint.js'

/** How a foreign key compares each of its own columns with the parent's. */
export type KeyComparisons = ReadonlyMap<string, KeyComparison>

/** What is kept with the foreign key of this name; empty for another constraint. */
export async function keyComparisons(
  query: Query,
  table: PostgresRelation,
  constraintName: string,
  { kind }: Constraint,
): Promise<KeyComparisons> {
  if (kind !== 'foreignKey') return new Map()
  const found = await findPostgresConstraint(query, table.oid, constraintName)
  const comparisons = found?.foreignKey?.comparisons ?? []
  return new Map(comparisons.map((comparison, index) => [found?.columns[index] ?? '', comparison]))
}

/** The parent's column, the operator, and the column that refers to it. */
export function comparedByKey(
  { parent, operator, own }: KeyComparison,
  parentColumn: string,
  ownColumn: string,
): string {
  return `${parentColumn}${parent} ${operator} ${ownColumn}${own}`
}
