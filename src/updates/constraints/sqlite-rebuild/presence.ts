import { describeTable } from '../../../databases/catalogue/table.js'
import type { Query } from '../../../databases/database.js'
import { SchemaMismatchError } from '../../../errors.js'
import type { Constraint } from '../constraint.js'
import { constraintClause, constraintLabel } from '../constraint-sql.js'
import { ConstraintDefinitionError } from '../errors.js'
import { type ConstraintClause, findConstraint, readClause, sameClause } from './constraint-clause.js'
import { parseCreateTable } from './create-table.js'
import type { RebuildableTable } from './rebuildable-table.js'
import { findByName } from './rows-copy.js'
import { sqliteTokens } from '../../../databases/catalogue/sqlite-tokens.js'

/**
 * Whether the table has the constraint: one of this name that says the same, or a column that is NOT NULL under
 * whatever name.
 *
 * @throws ConstraintDefinitionError when the name belongs to another constraint
 */
export async function hasConstraint(
  query: Query,
  table: RebuildableTable,
  constraint: Constraint,
  name: string | null,
): Promise<boolean> {
  const existing = name === null ? undefined : findConstraint(parseCreateTable(table.sql), name)
  if (existing === undefined) {
    return constraint.kind === 'notNull' && findByName(table.description.columns, constraint.column)?.notNull === true
  }
  if (sameClause(existing.clause, wantedClause(constraint), await parentKey(query, existing.clause))) return true
  throw new ConstraintDefinitionError(existing.name, table.name, existing.text, constraintLabel(constraint))
}

function wantedClause(constraint: Constraint): ConstraintClause {
  if (constraint.kind === 'notNull') return { kind: 'not null', columns: [constraint.column], extras: '' }
  const sql = constraintClause(constraint, 'sqlite')
  return readClause(sqliteTokens(sql), sql, null).clause
}

// What a reference without columns means.
async function parentKey(query: Query, clause: ConstraintClause): Promise<readonly string[]> {
  if (clause.kind !== 'foreign key' || clause.parentColumns !== null) return []
  try {
    const parent = await describeTable({ query, dialect: 'sqlite' }, { schema: 'main', name: clause.parent })
    return parent.primaryKey?.columns ?? []
  } catch (error) {
    if (error instanceof SchemaMismatchError) return []
    throw error
  }
}
