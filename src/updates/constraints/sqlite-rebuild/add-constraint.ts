import type { Database, Query } from '../../../databases/database.js'
import { quoteIdentifier, type TableName, tableLabel } from '../../../databases/identifier.js'
import { constraintClause, constraintLabel } from '../constraint-sql.js'
import { alterTable } from './alter-table.js'
import { parseCreateTable } from './create-table.js'
import { withColumnConstraint, withTableConstraint } from './derive-table.js'
import { NotRebuildableError } from './errors.js'
import { withForeignKeysOff } from './foreign-keys-off.js'
import { immediateTransaction } from './immediate-transaction.js'
import { refuseOrphans } from './orphans.js'
import { hasConstraint } from './presence.js'
import { type RebuildableTable, readRebuildableTable } from './rebuildable-table.js'
import { repairViolations } from './repair.js'
import type { SqliteRebuildRequest } from './request.js'
import { requireConstraintColumns } from './required-columns.js'
import { swapTable } from './table-swap.js'
import { foldName, sameName } from './tokens.js'

export type { SqliteRebuildRequest } from './request.js'

/** `addConstraintOnSqliteSession` on a session of its own. */
export function addConstraintBySqliteRebuild(database: Database, request: SqliteRebuildRequest): Promise<void> {
  return database.session((session) => addConstraintOnSqliteSession(session.query, request))
}

/** Makes a column NOT NULL; nothing happens when it is already. Rows with a NULL in it are an error. */
export function setNotNullOnSqlite(
  query: Query,
  request: { readonly table: TableName; readonly column: string },
): Promise<void> {
  const constraint = { kind: 'notNull', column: request.column } as const
  return addConstraintOnSqliteSession(query, {
    table: request.table,
    constraint,
    constraintName: null,
    onViolation: 'report',
  })
}

/**
 * Adds a constraint to a table of SQLite: by `ALTER TABLE` where that is possible, else by SQLite's procedure for other
 * kinds of schema changes (https://sqlite.org/lang_altertable.html, 12 steps). Everything happens in one transaction
 * under the write lock, with foreign keys off; on any failure nothing is changed and the connection is as it was.
 *
 * `query` must run on one pinned connection in autocommit. A constraint of this name that says the same, or a column
 * that is NOT NULL already, is left as it is.
 *
 * @throws ConstraintDefinitionError when the name belongs to another constraint
 * @throws ConstraintViolationsError when rows violate it
 * @throws OrphanedRowsError when the change would leave rows without a parent
 * @throws NotRebuildableError, SchemaMismatchError, ParentKeyError when it isn't possible on this table
 */
export function addConstraintOnSqliteSession(query: Query, request: SqliteRebuildRequest): Promise<void> {
  const label = tableLabel(request.table)
  return withForeignKeysOff(query, label, () =>
    immediateTransaction(query, label, async () => {
      const table = await readRebuildableTable(query, request.table)
      const present = await hasConstraint(query, table, request.constraint, request.constraintName)
      if (!present) await change(query, table, request)
      await request.inTransaction?.(query)
    }),
  )
}

async function change(query: Query, table: RebuildableTable, request: SqliteRebuildRequest): Promise<void> {
  const { constraint, constraintName, newTableSql } = request
  const label = constraintName ?? constraintLabel(constraint)
  await requireConstraintColumns(query, table, constraint, newTableSql)
  if (newTableSql !== undefined) requireSameTable(table, newTableSql)
  await repairViolations(query, table.description, { ...request, label })
  const automatic = newTableSql === undefined && request.method !== 'rebuild'
  const altered = automatic && (await alterTable(query, table.name, constraint, constraintName))
  if (!altered) await swapTable(query, table, newTableSql ?? derivedSql(table, request))
  const changed = await readRebuildableTable(query, { schema: 'main', name: table.name })
  if (!(await hasConstraint(query, changed, constraint, constraintName))) {
    throw new NotRebuildableError(
      table.name,
      `its new SQL has no constraint "${label}"`,
      'Write the constraint, with its name, into `newTableSql`. Nothing was changed.',
    )
  }
  await refuseOrphans(query, table.name)
}

function derivedSql(table: RebuildableTable, { constraint, constraintName }: SqliteRebuildRequest): string {
  const parsed = parseCreateTable(table.sql)
  const named = constraintName === null ? '' : `CONSTRAINT ${quoteIdentifier(constraintName, 'sqlite')} `
  return constraint.kind === 'notNull'
    ? withColumnConstraint(parsed, constraint.column, `${named}NOT NULL`)
    : withTableConstraint(parsed, `${named}${constraintClause(constraint, 'sqlite')}`)
}

function requireSameTable(table: RebuildableTable, sql: string): void {
  const { temporary, schema, name } = parseCreateTable(sql)
  const elsewhere = temporary || (schema !== null && foldName(schema) !== 'main')
  if (!elsewhere && sameName(name, table.name)) return
  throw new NotRebuildableError(
    table.name,
    `newTableSql is not of this table: ${sql.slice(0, 100)}`,
    'Write `CREATE TABLE` with the name of this table.',
  )
}
