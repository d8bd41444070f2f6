import { createHash } from 'node:crypto'
import { systemClock } from '../../clock.js'
import {
  findNotNullConstraint,
  findPostgresConstraint,
  isProvedNotNull,
  postgresVersion,
} from '../../databases/catalogue/constraint.js'
import type { PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { LOCK_TIMEOUT_MS, retryForLock } from '../../databases/lock-timeout.js'
import { withSettings } from '../../databases/session-settings.js'
import type { OneShotContext, ProgressReport } from '../definition.js'
import { addNotValid, VERSION_18 } from './add-on-postgres.js'
import { notNull } from './constraint.js'
import {
  requireConstraint,
  requirePostgresTable,
  requireSameDefinition,
  scratchTransaction,
} from './existing-constraint.js'
import { validateOnSession } from './validate-constraint.js'

interface NotNullRequest {
  readonly table: TableName
  readonly column: string
}

type SessionContext = Pick<OneShotContext<unknown, unknown>, 'query' | 'signal'>

/** The column is NOT NULL for every row, and the CHECK that helped is gone. */
export async function isNotNullOnPostgres(query: Query, { table, column }: NotNullRequest): Promise<boolean> {
  const relation = await requirePostgresTable(query, table)
  if ((await findPostgresConstraint(query, relation.oid, helperName(column))) !== null) return false
  return isProvedNotNull(query, relation.oid, column)
}

/**
 * From whatever an earlier run left to the column being NOT NULL. The catalogue says after every step where it is, so
 * a crash between two steps is gone on from.
 *
 * @throws ConstraintViolationsError
 */
export async function setNotNullOnPostgres(context: SessionContext, { table, column }: NotNullRequest): Promise<void> {
  const { query } = context
  const relation = await requirePostgresTable(query, table)
  const helper = helperName(column)
  if (!(await isProvedNotNull(query, relation.oid, column))) {
    if ((await postgresVersion(query)) >= VERSION_18) await byNotNullConstraint(context, relation, column)
    else await byCheck(context, relation, column, helper)
  }
  if ((await findPostgresConstraint(query, relation.oid, helper)) === null) return
  await underShortLock(context, () => query(dropSql(relation, helper)))
}

/** Which step it is at. */
export async function inspectNotNull(query: Query, { table, column }: NotNullRequest): Promise<ProgressReport> {
  const relation = await requirePostgresTable(query, table)
  const helper =
    (await findPostgresConstraint(query, relation.oid, helperName(column))) ??
    (await findNotNullConstraint(query, relation.oid, column))
  if (helper === null) return { fraction: null, phase: 'adding the constraint' }
  return { fraction: null, phase: helper.validated ? 'setting NOT NULL' : 'validating' }
}

async function byNotNullConstraint(context: SessionContext, table: PostgresRelation, column: string): Promise<void> {
  const { query } = context
  if ((await findNotNullConstraint(query, table.oid, column)) === null) {
    // Without a name it gets the one that SET NOT NULL would have given it.
    await underShortLock(context, () =>
      unlessThere(() =>
        query(
          `ALTER TABLE ${quoteTable(table, 'postgres')} ADD NOT NULL ${quoteIdentifier(column, 'postgres')} NOT VALID`,
        ),
      ),
    )
  }
  const constraint = await findNotNullConstraint(query, table.oid, column)
  if (constraint !== null && !constraint.validated) await validateOnSession(context, table, constraint)
}

async function byCheck(
  context: SessionContext,
  table: PostgresRelation,
  column: string,
  helper: string,
): Promise<void> {
  const { query } = context
  const constraint = notNull(column)
  if ((await findPostgresConstraint(query, table.oid, helper)) === null) {
    await underShortLock(context, () => unlessThere(() => addNotValid(query, table, helper, constraint, 0)))
  }
  const existing = await requireConstraint(query, table, helper)
  await requireSameDefinition(query, table, existing, constraint, scratchTransaction)
  if (!existing.validated) await validateOnSession(context, table, existing, constraint)
  // A valid CHECK that says the same spares SET NOT NULL the scan (PostgreSQL 12 and later).
  const sql = `ALTER TABLE ${quoteTable(table, 'postgres')} ALTER COLUMN ${quoteIdentifier(column, 'postgres')} SET NOT NULL`
  await underShortLock(context, () => query(sql))
}

function dropSql(table: PostgresRelation, helper: string): string {
  return `ALTER TABLE ${quoteTable(table, 'postgres')} DROP CONSTRAINT IF EXISTS ${quoteIdentifier(helper, 'postgres')}`
}

function underShortLock(context: SessionContext, work: () => Promise<unknown>): Promise<unknown> {
  const settings = { lock_timeout: `${LOCK_TIMEOUT_MS}ms` }
  return retryForLock(() => withSettings(context.query, settings, work), {
    clock: systemClock,
    random: Math.random,
    signal: context.signal,
  })
}

// duplicate_object: another process did this step a moment ago.
async function unlessThere(work: () => Promise<unknown>): Promise<void> {
  await work().catch((error: unknown) => {
    if (databaseErrorCode(error) !== '42710') throw error
  })
}

// The same in every run, so that what an interrupted one left is found again; short, however long the column's name.
function helperName(column: string): string {
  const digest = createHash('sha256').update(column).digest('hex').slice(0, 16)
  return `evenkeel_not_null_${digest}`
}
