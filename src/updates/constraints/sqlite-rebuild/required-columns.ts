import { describeTable, requireColumns } from '../../../databases/catalogue/table.js'
import type { Query } from '../../../databases/database.js'
import { quoteIdentifier } from '../../../databases/identifier.js'
import type { Constraint, ForeignKeyConstraint } from '../constraint.js'
import { constraintLabel, ownColumns } from '../constraint-sql.js'
import { NotRebuildableError, ParentKeyError } from './errors.js'
import type { RebuildableTable } from './rebuildable-table.js'
import { foldName, sameName } from './tokens.js'

/**
 * Holds the columns that a constraint names against the catalogue, before any row is called a violator.
 *
 * @throws SchemaMismatchError when a column or the parent table doesn't exist
 * @throws ParentKeyError when the parent columns are no unique key; SQLite would then refuse every write to the table
 */
export async function requireConstraintColumns(
  query: Query,
  table: RebuildableTable,
  constraint: Constraint,
  newTableSql: string | undefined,
): Promise<void> {
  requireColumns(table.description, ownColumns(constraint), constraintLabel(constraint))
  if (constraint.kind === 'foreignKey') await requireParentKey(query, table, constraint, newTableSql)
}

async function requireParentKey(
  query: Query,
  table: RebuildableTable,
  constraint: ForeignKeyConstraint,
  newTableSql: string | undefined,
): Promise<void> {
  const { references } = constraint
  const { schema, name } = typeof references === 'string' ? { schema: undefined, name: references } : references
  if (schema !== undefined && foldName(schema) !== 'main') {
    throw new NotRebuildableError(
      table.name,
      `a foreign key can’t point into another database, ${quoteIdentifier(schema, 'sqlite')}`,
      'Name a table of the same file.',
    )
  }
  const parent = await describeTable({ query, dialect: 'sqlite' }, { schema: 'main', name })
  const columns = constraint.columns.map((column) => column.parent)
  requireColumns(parent, columns, 'references')
  // A table that references itself may get the key by its new SQL.
  const givenAnew = newTableSql !== undefined && sameName(parent.name, table.name)
  if (givenAnew || parent.uniqueKeys.some((key) => sameNames(key.columns, columns))) return
  throw new ParentKeyError(table.name, `(${columns.join(', ')}) is no primary or unique key of "${parent.name}"`)
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  const sorted = right.map(foldName).sort()
  return (
    left.length === right.length &&
    left
      .map(foldName)
      .sort()
      .every((name, at) => name === sorted[at])
  )
}
