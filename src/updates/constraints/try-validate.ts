import { findPostgresConstraint } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { classifyError } from '../../databases/error-class.js'
import { isLockError } from '../../databases/lock-timeout.js'
import type { Constraint, UniqueConstraint } from './constraint.js'
import { requireConstraint, requireSameDefinition, scratchSavepoint } from './existing-constraint.js'
import { hasDuplicates } from './unique-constraint.js'
import { VALIDATE_LOCK_TIMEOUT, validateSql } from './validate-constraint.js'

/** What came of trying to validate a constraint in an open transaction, which is usable in any case. */
export type ValidationOutcome =
  | { readonly outcome: 'valid' }
  | { readonly outcome: 'unbuilt' }
  | { readonly outcome: 'violated' | 'locked'; readonly error: Error }

/**
 * VALIDATE behind a savepoint. A unique constraint that isn't there yet is `unbuilt` when no duplicates are in its way.
 *
 * @throws ConstraintMissingError, ConstraintDefinitionError
 */
export async function tryValidate(
  query: Query,
  table: PostgresRelation,
  constraintName: string,
  constraint: Constraint,
): Promise<ValidationOutcome> {
  const found = await findPostgresConstraint(query, table.oid, constraintName)
  if (found === null && constraint.kind === 'unique') return tryUnique(query, table, constraintName, constraint)
  const existing = found ?? (await requireConstraint(query, table, constraintName))
  // Before anything is repaired: the rows that violate another constraint are not ours to change.
  await requireSameDefinition(query, table, existing, constraint, scratchSavepoint)
  if (existing.validated) return { outcome: 'valid' }
  await query('SAVEPOINT evenkeel_validate')
  try {
    await withoutTimeLimits(query)
    await query(validateSql(table, constraintName))
    await query('RELEASE SAVEPOINT evenkeel_validate')
    return { outcome: 'valid' }
  } catch (error) {
    const violated = classifyError(error) === 'integrity'
    if (!(error instanceof Error) || !(violated || isLockError(error))) throw error
    // Takes the settings back too.
    await query('ROLLBACK TO SAVEPOINT evenkeel_validate')
    await query('RELEASE SAVEPOINT evenkeel_validate')
    return { outcome: violated ? 'violated' : 'locked', error }
  }
}

/** For the rest of the transaction; `transaction_timeout` exists from version 17 on. */
export async function withoutTimeLimits(query: Query): Promise<void> {
  await query(
    `
    SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN $1 ELSE '0' END, true)
    FROM pg_settings
    WHERE name IN ('statement_timeout', 'transaction_timeout', 'lock_timeout')`,
    [VALIDATE_LOCK_TIMEOUT],
  )
}

async function tryUnique(
  query: Query,
  table: PostgresRelation,
  constraintName: string,
  constraint: UniqueConstraint,
): Promise<ValidationOutcome> {
  await withoutTimeLimits(query)
  if (!(await hasDuplicates(query, table, constraint))) return { outcome: 'unbuilt' }
  const error = new Error(`table "${table.name}" has duplicates under the unique constraint "${constraintName}"`)
  return { outcome: 'violated', error }
}
