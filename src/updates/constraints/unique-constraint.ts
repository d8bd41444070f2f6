import { systemClock } from '../../clock.js'
import { findPostgresConstraint } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { quoteColumns, quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { LOCK_TIMEOUT_MS, retryForLock } from '../../databases/lock-timeout.js'
import { isNotNullSql } from '../../databases/null-test.js'
import { UnsupportedError } from '../../errors.js'
import { createIndex, DuplicateKeysError } from '../create-index.js'
import { withoutTimeouts, withSettings } from '../../databases/session-settings.js'
import type { OneShotContext, OneShotUpdate } from '../definition.js'
import type { UniqueConstraint } from './constraint.js'
import { requirePostgresTable, requireSameDefinition, scratchTransaction } from './existing-constraint.js'

interface UniqueRequest {
  readonly name: string
  readonly table: TableName
  readonly constraintName: string
}

/** The update that builds the index of a unique constraint. It has the constraint's name, as its index always has. */
export function uniqueIndexUpdate(
  { name, table, constraintName }: UniqueRequest,
  { columns }: UniqueConstraint,
): OneShotUpdate<unknown, unknown> {
  return createIndex({ name, index: constraintName, table, columns, unique: true })
}

export async function hasUnique(
  query: Query,
  table: PostgresRelation,
  constraintName: string,
  constraint: UniqueConstraint,
): Promise<boolean> {
  const existing = await findPostgresConstraint(query, table.oid, constraintName)
  if (existing === null) return false
  await requireSameDefinition(query, table, existing, constraint, scratchTransaction)
  return true
}

/** Builds the index concurrently, then makes it a constraint, which takes its lock for a moment only. */
export async function attachUnique(
  context: OneShotContext<unknown, unknown>,
  request: UniqueRequest,
  constraint: UniqueConstraint,
  index: OneShotUpdate<unknown, unknown>,
): Promise<void> {
  const { query, signal } = context
  const table = await requirePostgresTable(query, request.table)
  refusePartitioned(table, request.constraintName)
  if (await hasUnique(query, table, request.constraintName, constraint)) return
  await index.run(context)
  const name = quoteIdentifier(request.constraintName, 'postgres')
  const sql = `ALTER TABLE ${quoteTable(table, 'postgres')} ADD CONSTRAINT ${name} UNIQUE USING INDEX ${name}`
  await retryForLock(() => withSettings(query, { lock_timeout: `${LOCK_TIMEOUT_MS}ms` }, () => query(sql)), {
    clock: systemClock,
    random: Math.random,
    signal,
  })
}

/** Whether two rows have the same values, none of them NULL: NULLs are distinct. */
export async function hasDuplicates(
  query: Query,
  table: PostgresRelation,
  { columns }: UniqueConstraint,
): Promise<boolean> {
  const { rows } = await query(`
    SELECT 1
    FROM ${quoteTable(table, 'postgres')}
    WHERE ${columns.map((column) => isNotNullSql(quoteIdentifier(column, 'postgres'), 'postgres')).join(' AND ')}
    GROUP BY ${quoteColumns(columns, 'postgres')}
    HAVING count(*) > 1
    LIMIT 1`)
  return rows.length > 0
}

/** Builds and attaches it when no duplicates are in the way; those that come meanwhile are left to the caller. */
export async function attachUniqueIfPossible(
  context: OneShotContext<unknown, unknown>,
  request: UniqueRequest,
  constraint: UniqueConstraint,
  index: OneShotUpdate<unknown, unknown>,
): Promise<void> {
  const { query } = context
  const table = await requirePostgresTable(query, request.table)
  if (await hasUnique(query, table, request.constraintName, constraint)) return
  if (await withoutTimeouts(query, () => hasDuplicates(query, table, constraint))) return
  try {
    await attachUnique(context, request, constraint, index)
  } catch (error) {
    if (!(error instanceof DuplicateKeysError)) throw error
  }
}

/** @throws UnsupportedError */
export function refusePartitioned(table: PostgresRelation, constraintName: string): void {
  if (table.kind !== 'p') return
  throw new UnsupportedError(
    `unique constraint "${constraintName}" of the partitioned table "${table.name}" from a concurrently built index`,
    'PostgreSQL',
    'Use createIndex({ unique: true }) instead: its index makes the same promise, and is built partition by partition.',
  )
}
