import { findPostgresConstraint, postgresVersion } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import { describeTable, requireColumns } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { UnsupportedError } from '../../errors.js'
import type { Constraint } from './constraint.js'
import { constraintClause, ownColumns } from './constraint-sql.js'
import { ConstraintRefusedError } from './errors.js'
import { requirePostgresTable, requireSameDefinition, scratchSavepoint } from './existing-constraint.js'
import { refusePartitioned } from './unique-constraint.js'

/** PostgreSQL 18: NOT NULL constraints have names and can be NOT VALID; foreign keys of partitioned tables too. */
export const VERSION_18 = 180_000

export interface ConstraintRequest {
  readonly constraintName: string
  readonly table: TableName
  readonly constraint: Constraint
}

export interface Addition {
  readonly existing: 'missing' | 'not valid' | 'validated'
  /** Adds the constraint NOT VALID; does nothing where it exists, or needs an index first. */
  readonly add: () => Promise<void>
}

/**
 * Holds the constraint against the catalogue, in an open transaction.
 *
 * @throws SchemaMismatchError, ConstraintDefinitionError, UnsupportedError
 */
export async function addOnPostgres(query: Query, request: ConstraintRequest): Promise<Addition> {
  const { constraintName, constraint } = request
  quoteIdentifier(constraintName, 'postgres')
  const table = await requirePostgresTable(query, request.table)
  await requireAllColumns(query, table, constraint)
  const existing = await findPostgresConstraint(query, table.oid, constraintName)
  if (existing !== null) {
    await requireSameDefinition(query, table, existing, constraint, scratchSavepoint)
    return { existing: existing.validated ? 'validated' : 'not valid', add: async () => {} }
  }
  if (constraint.kind === 'unique') {
    refusePartitioned(table, constraintName)
    return { existing: 'missing', add: async () => {} }
  }
  const version = await postgresVersion(query)
  if (constraint.kind === 'foreignKey' && table.kind === 'p' && version < VERSION_18) {
    throw new UnsupportedError(
      `foreign key "${constraintName}" of the partitioned table "${table.name}" as NOT VALID`,
      'PostgreSQL before version 18',
      'Add it to each partition with addConstraint() and validate it there; then ALTER TABLE … ADD FOREIGN KEY on the ' +
        'partitioned table itself takes the valid ones over without reading the rows.',
    )
  }
  return { existing: 'missing', add: () => addNotValid(query, table, constraintName, constraint, version) }
}

/** `ALTER TABLE … ADD CONSTRAINT … NOT VALID`, on any connection. */
export async function addNotValid(
  query: Query,
  table: PostgresRelation,
  constraintName: string,
  constraint: Constraint,
  version: number,
): Promise<void> {
  const clause = constraintClause(constraint, 'postgres', { nativeNotNull: version >= VERSION_18 })
  const sql = `
    ALTER TABLE ${quoteTable(table, 'postgres')}
    ADD CONSTRAINT ${quoteIdentifier(constraintName, 'postgres')} ${clause} NOT VALID`
  try {
    await query(sql)
  } catch (error) {
    throw refusesForGood(error) ? new ConstraintRefusedError(constraintName, sql.trim(), error) : error
  }
}

async function requireAllColumns(query: Query, table: PostgresRelation, constraint: Constraint): Promise<void> {
  requireColumns(await describeTable({ query, dialect: 'postgres' }, table), ownColumns(constraint), 'constraint')
  if (constraint.kind !== 'foreignKey') return
  const parent = await requirePostgresTable(query, constraint.references)
  const columns = constraint.columns.map((pair) => pair.parent)
  requireColumns(await describeTable({ query, dialect: 'postgres' }, parent), columns, 'references')
}

// 42: the definition or the rights; 0A: not possible; 55000: the state of the table. 42710: the name was taken meanwhile.
function refusesForGood(error: unknown): boolean {
  const code = databaseErrorCode(error) ?? ''
  return /^(42|0A)/.test(code) ? code !== '42710' : code === '55000'
}
