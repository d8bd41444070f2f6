import { requireReadable } from '../../options.js'
import { systemClock } from '../../clock.js'
import { findPostgresConstraint, type PostgresConstraint } from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { classifyError } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { retryForLock } from '../../databases/lock-timeout.js'
import { withoutTimeouts, withSettings } from '../../databases/session-settings.js'
import { commonDefinition } from '../define.js'
import type { CommonOptions, OneShotContext, OneShotUpdate } from '../definition.js'
import { constraintProblems, nameProblems, type Constraint } from './constraint.js'
import { tableProblems } from '../walk/options.js'
import { ConstraintViolationsError, type ViolationsFound } from './errors.js'
import { fillFirst, staysNotValid } from './violation-hints.js'
import {
  constraintOf,
  hasDefinition,
  requireConstraint,
  requirePostgresTable,
  requireSameDefinition,
  scratchTransaction,
} from './existing-constraint.js'
import { findViolations } from './find-violations.js'
import { attachUnique, hasUnique, uniqueIndexUpdate } from './unique-constraint.js'

export interface ValidateConstraintOptions extends CommonOptions {
  readonly table: TableName
  /** Name of the constraint. */
  readonly constraintName: string
  /**
   * What the constraint is to be. With it, one of the same name but another definition is an error; `unique()` needs
   * it, because its index is built first.
   */
  readonly constraint?: Constraint
}

const OPTIONS = ['table', 'constraintName', 'constraint']

/**
 * VALIDATE waits for a lock that is compatible with reads and writes, so waiting holds nobody up; it is long enough for
 * an autovacuum, which has the same lock, to give way (`deadlock_timeout`, 1 s).
 */
export const VALIDATE_LOCK_TIMEOUT = '5s'

/**
 * An update that validates a constraint which was added NOT VALID, as `addConstraint` does: the whole table is read
 * once, while reads and writes go on. PostgreSQL.
 *
 * For `unique()` it builds the index concurrently, as `createIndex` does, and attaches it as the constraint.
 *
 * The update fails at once with ConstraintMissingError, ConstraintDefinitionError, or ConstraintViolationsError, which
 * has the count and samples of the rows; with DuplicateKeysError for `unique()`.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { validateConstraint } from 'evenkeel'
 *
 * export const validateAuthor = validateConstraint({
 *   name: 'validate_posts_author',
 *   table: 'posts',
 *   constraintName: 'posts_author_fkey',
 * })
 */
export function validateConstraint(options: ValidateConstraintOptions): OneShotUpdate<unknown, unknown> {
  requireReadable('validateConstraint', options)
  const common = commonDefinition('validateConstraint', options, OPTIONS, optionProblems(options), ['postgres'])
  const { constraint } = options
  const request: ValidateRequest = { ...options, constraint: constraint ?? null }
  const index = constraint?.kind === 'unique' ? uniqueIndexUpdate(request, constraint) : null
  return {
    ...common,
    table: options.table,
    oneShot: true,
    initialProgress: {},
    async check(context) {
      quoteIdentifier(request.constraintName, 'postgres')
      const table = await requirePostgresTable(context.query, request.table)
      if (index === null) await requireConstraint(context.query, table, request.constraintName)
      else await index.check?.(context)
    },
    async isDone({ query }) {
      const table = await requirePostgresTable(query, request.table)
      if (constraint?.kind === 'unique') return hasUnique(query, table, request.constraintName, constraint)
      const existing = await findPostgresConstraint(query, table.oid, request.constraintName)
      if (existing === null || !existing.validated) return false
      return constraint === undefined || hasDefinition(query, table, existing, constraint, scratchTransaction)
    },
    async run(context) {
      if (constraint?.kind === 'unique' && index !== null) {
        await attachUnique(context, request, constraint, index)
        return
      }
      await validate(context, request)
    },
    async inspect(context, progress) {
      if (index?.inspect) return index.inspect(context, progress)
      return { fraction: null, phase: 'validating constraint' }
    },
  }
}

interface ValidateRequest {
  readonly name: string
  readonly table: TableName
  readonly constraintName: string
  readonly constraint: Constraint | null
}

function optionProblems(options: ValidateConstraintOptions): string[] {
  return [
    ...tableProblems('table', options?.table),
    ...nameProblems('constraintName', options?.constraintName),
    ...(options?.constraint === undefined ? [] : constraintProblems(options.constraint)),
  ]
}

async function validate(context: OneShotContext<unknown, unknown>, request: ValidateRequest): Promise<void> {
  const { query } = context
  const table = await requirePostgresTable(query, request.table)
  const existing = await requireConstraint(query, table, request.constraintName)
  if (request.constraint !== null) {
    await requireSameDefinition(query, table, existing, request.constraint, scratchTransaction)
  }
  await validateOnSession(context, table, existing)
}

/**
 * VALIDATE CONSTRAINT on a pinned session in autocommit, without a statement time-out. `meant` is what the constraint
 * stands for, where the catalogue has it in another form.
 *
 * @throws ConstraintViolationsError with count and samples of the rows
 */
export async function validateOnSession(
  context: Pick<OneShotContext<unknown, unknown>, 'query' | 'signal'>,
  table: PostgresRelation,
  constraint: PostgresConstraint,
  meant: Constraint | null = constraintOf(constraint),
): Promise<void> {
  const { query, signal } = context
  const settings = { statement_timeout: '0', transaction_timeout: '0', lock_timeout: VALIDATE_LOCK_TIMEOUT }
  try {
    await retryForLock(() => withSettings(query, settings, () => query(validateSql(table, constraint.name))), {
      clock: systemClock,
      random: Math.random,
      signal,
    })
  } catch (error) {
    if (classifyError(error) !== 'integrity') throw error
    const found = await withoutTimeouts(query, () => violationsOf(query, table, constraint))
    throw new ConstraintViolationsError(
      constraint.name,
      table.name,
      { ...found, hint: hintFor(table, constraint.name, meant) },
      error,
    )
  }
}

function hintFor(table: PostgresRelation, name: string, meant: Constraint | null): string {
  const remedy =
    meant?.kind === 'notNull'
      ? fillFirst(meant.column)
      : "Mend these rows, or have them repaired by validateConstraintAndRepair(): onViolation 'delete' (with keepIn, if " +
        "they are to be kept) or 'null'; then retry."
  return `${remedy} ${staysNotValid(name, table.name)}`
}

export function validateSql(table: PostgresRelation, constraintName: string): string {
  return `ALTER TABLE ${quoteTable(table, 'postgres')} VALIDATE CONSTRAINT ${quoteIdentifier(constraintName, 'postgres')}`
}

// Finding the rows is a service: when it fails, what the database said of the first one is better than nothing.
async function violationsOf(
  query: Query,
  table: PostgresRelation,
  existing: PostgresConstraint,
): Promise<ViolationsFound> {
  const constraint = constraintOf(existing)
  if (constraint === null) return { count: null, samples: [] }
  return findViolations(query, table, constraint, existing.name).catch(() => ({ count: null, samples: [] }))
}
