import { systemClock, type Clock } from '../../clock.js'
import type { Database, Query } from '../../databases/database.js'
import { databaseErrorCode } from '../../databases/error-class.js'
import { tableLabel, type TableName } from '../../databases/identifier.js'
import { isLockError, LOCK_TIMEOUT_MS, MAX_LOCK_TRIES, retryForLock } from '../../databases/lock-timeout.js'
import { ConfigurationError, UnsupportedError } from '../../errors.js'
import {
  databaseProblems,
  describe,
  requireReadable,
  unknownOptionProblems,
  wholeNumberProblems,
} from '../../options.js'
import { updateNameProblems } from '../../queue/update-name.js'
import { checkInstallationThrough } from '../../schema/install.js'
import { tablesOf } from '../../schema/tables.js'
import { constraintProblems, nameProblems, type Constraint, type OnViolation } from './constraint.js'
import { tableProblems } from '../walk/options.js'
import { limitOf, limitProblems, type RowLimit } from '../row-limit.js'
import { LockNotAvailableError } from './errors.js'
import { addOnPostgres } from './add-on-postgres.js'
import { ensureQueued, ensureRecorded } from './validation-row.js'
import { addConstraintBySqliteRebuild } from './sqlite-rebuild/add-constraint.js'
import { hasConstraint } from './sqlite-rebuild/presence.js'
import { readRebuildableTable } from './sqlite-rebuild/rebuildable-table.js'

export interface AddConstraintOptions<Tx = unknown> {
  readonly constraintName: string
  readonly table: TableName
  /** What `foreignKey()`, `notNull()`, `check()` or `unique()` returns. */
  readonly constraint: Constraint
  /** Name of the update that will validate it: a `validateConstraint` or `validateConstraintAndRepair`. */
  readonly update: string
  /** Of the update's row: lower runs first. Default 0. */
  readonly ordering?: number
  /** Of the update's row: names that must be finished first. Default none. */
  readonly dependsOn?: string | readonly string[]
  /** Schema of Evenkeel's own tables. PostgreSQL. Default: the first of the search path. */
  readonly schema?: string
  /** Who asked, for the history. */
  readonly by?: string
  /** The caller's own open transaction, which this joins. PostgreSQL. */
  readonly tx?: Tx
  /**
   * SQLite, where the rows must be right at once: what is done with those that aren't. Default `report`. On PostgreSQL
   * it is an option of `validateConstraintAndRepair`.
   */
  readonly onViolation?: OnViolation
  /**
   * SQLite: more violating rows than this are an error, and nothing is changed; `'unlimited'` sets no limit. Required with
   * `delete` and without `keepIn`; else the default is `'unlimited'`.
   */
  readonly maxViolations?: RowLimit
  /** SQLite: a table of the same shape that keeps the rows which are deleted. */
  readonly keepIn?: TableName
  /** SQLite: the whole new `CREATE TABLE`. Default: the old one's with the constraint added. */
  readonly newTableSql?: string
  /** Gives up between two tries to get the lock. */
  readonly signal?: AbortSignal
  /** Of the pauses between two tries. Default: the system's. */
  readonly clock?: Clock
  /** From 0 to 1, for the jitter of these pauses. Default `Math.random`. */
  readonly random?: () => number
}

/** What `addConstraint` found and did. */
export interface AddConstraintResult {
  /** `pending`: the update builds the index of a unique constraint first, and then adds it. */
  readonly constraint: 'added' | 'exists' | 'pending'
  /** `not applicable`: nothing is left to validate, and the history says so. */
  readonly update: 'enqueued' | 'queued' | 'finished' | 'not applicable'
}

const OPTIONS = [
  'constraintName',
  'table',
  'constraint',
  'update',
  'ordering',
  'dependsOn',
  'schema',
  'by',
  'tx',
  'onViolation',
  'maxViolations',
  'keepIn',
  'newTableSql',
  'signal',
  'clock',
  'random',
]

/**
 * Adds a constraint to a table that is in use, for a schema migration. Calling it again changes nothing.
 *
 * PostgreSQL: it is added NOT VALID, so that new rows obey it from now on, and the update that will validate the old
 * ones is enqueued, both in one transaction. The lock is waited for at most 400 ms a try, 30 tries; with `tx`, once.
 * `unique()` is only enqueued: its update, with the same `constraint`, builds the index first.
 *
 * SQLite: the table is rebuilt in one transaction, and the update is recorded as finished, for nothing is left to
 * validate.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @throws ConstraintDefinitionError when the name belongs to another constraint
 * @throws ConstraintRefusedError when PostgreSQL doesn't accept the definition
 * @throws LockNotAvailableError when the lock was not to be had; nothing was changed
 * @throws ConstraintViolationsError on SQLite, when rows violate it and `onViolation` doesn't say what to do
 * @throws UnsupportedError with `tx` on SQLite, and for what this version of PostgreSQL can't do
 * @throws NotInstalledError when Evenkeel's tables aren't there
 * @example
 * import { addConstraint, foreignKey } from 'evenkeel'
 * import { fromPg } from 'evenkeel/pg'
 * import pg from 'pg'
 *
 * await addConstraint(fromPg(new pg.Pool()), {
 *   constraintName: 'posts_author_fkey',
 *   table: 'posts',
 *   constraint: foreignKey({ columns: { author_id: 'id' }, references: 'users' }),
 *   update: 'validate_posts_author',
 * })
 */
export async function addConstraint<Tx>(
  database: Database<Tx>,
  options: AddConstraintOptions<Tx>,
): Promise<AddConstraintResult> {
  requireReadable('addConstraint', database, options)
  const problems = [...databaseProblems(database), ...optionProblems(options)]
  if (problems.length > 0) {
    const name = typeof options?.constraintName === 'string' ? ` "${options.constraintName}"` : ''
    throw new ConfigurationError(`addConstraint${name}`, problems)
  }
  if (database.dialect === 'sqlite') return addOnSqlite(database, options)
  return options.tx === undefined
    ? addInTransactions(database, options)
    : addInOpenTransaction(database, options, options.tx)
}

function optionProblems(options: AddConstraintOptions): string[] {
  if (typeof options !== 'object' || options === null) return ['options must be an object']
  const { dependsOn = [], onViolation, keepIn, newTableSql } = options
  const names: unknown = typeof dependsOn === 'string' ? [dependsOn] : dependsOn
  const problems = [
    ...unknownOptionProblems(options, OPTIONS),
    ...nameProblems('constraintName', options.constraintName),
    ...tableProblems('table', options.table),
    ...constraintProblems(options.constraint),
    ...updateNameProblems('update', options.update),
    ...wholeNumberProblems('ordering', options.ordering, -(2 ** 31)),
    ...limitProblems('maxViolations', options.maxViolations, onViolation === 'delete' && keepIn === undefined),
    ...(Array.isArray(names)
      ? names.flatMap((name) => updateNameProblems('dependsOn', name))
      : ['dependsOn must be a name or an array of names']),
    ...(options.schema === undefined ? [] : nameProblems('schema', options.schema)),
    ...(keepIn === undefined ? [] : tableProblems('keepIn', keepIn)),
  ]
  if (!VIOLATION_ACTIONS.includes(onViolation)) {
    problems.push(`onViolation must be "delete", "null" or "report", not ${describe(onViolation)}`)
  }
  if (keepIn !== undefined && onViolation !== 'delete') problems.push('keepIn goes with onViolation "delete" only')
  if (newTableSql !== undefined && typeof newTableSql !== 'string') {
    problems.push(`newTableSql must be SQL, not ${describe(newTableSql)}`)
  }
  return problems
}

const VIOLATION_ACTIONS: readonly unknown[] = [undefined, 'delete', 'null', 'report']

async function addInTransactions<Tx>(
  database: Database<Tx>,
  options: AddConstraintOptions<Tx>,
): Promise<AddConstraintResult> {
  const { clock = systemClock, random = Math.random, signal } = options
  const attempt = () =>
    database.transaction(async (tx) => {
      const query: Query = (text, values) => database.query(tx, text, values)
      await query(`SELECT set_config('lock_timeout', $1, true)`, [`${LOCK_TIMEOUT_MS}ms`])
      return addAndEnqueue(query, options)
    })
  // Somebody who adds the same constraint at the same time was faster: the next look finds it.
  const unlessTaken = () =>
    attempt().catch((error: unknown) => {
      if (databaseErrorCode(error) === '42710') return attempt()
      throw error
    })
  try {
    return await retryForLock(unlessTaken, { clock, random, signal })
  } catch (error) {
    if (!isLockError(error)) throw error
    throw lockError(options, MAX_LOCK_TRIES, 'See who holds it in pg_locks, then call it again.', error)
  }
}

async function addInOpenTransaction<Tx>(
  database: Database<Tx>,
  options: AddConstraintOptions<Tx>,
  tx: Tx,
): Promise<AddConstraintResult> {
  const query: Query = (text, values) => database.query(tx, text, values)
  const former = await query<{ setting: string }>(`SELECT current_setting('lock_timeout') AS setting`)
  // Behind a savepoint, so that the caller can go on with the transaction whatever happens here.
  await query('SAVEPOINT evenkeel_add_constraint')
  try {
    await query(`SELECT set_config('lock_timeout', $1, true)`, [`${LOCK_TIMEOUT_MS}ms`])
    const result = await addAndEnqueue(query, options)
    await query(`SELECT set_config('lock_timeout', $1, true)`, [former.rows[0]?.setting ?? '0'])
    await query('RELEASE SAVEPOINT evenkeel_add_constraint')
    return result
  } catch (error) {
    await query('ROLLBACK TO SAVEPOINT evenkeel_add_constraint')
    await query('RELEASE SAVEPOINT evenkeel_add_constraint')
    if (!isLockError(error)) throw error
    const hint = 'Run the whole transaction again, or leave out `tx`: then it is tried again by itself.'
    throw lockError(options, 1, hint, error)
  }
}

function lockError(options: AddConstraintOptions, tries: number, hint: string, cause: unknown) {
  const subject = `addConstraint "${options.constraintName}" on table "${tableLabel(options.table)}"`
  return new LockNotAvailableError(subject, tries, LOCK_TIMEOUT_MS, hint, cause)
}

async function addAndEnqueue(query: Query, options: AddConstraintOptions): Promise<AddConstraintResult> {
  // The row before the ALTER: the lock on the table is held from the ALTER to the commit, and nothing else should lie between.
  const tables = tablesOf('postgres', options.schema)
  await checkInstallationThrough(query, 'main', tables)
  const { existing, add } = await addOnPostgres(query, options)
  const update = await ensureQueued(query, tables, rowOf(options), {
    validated: existing === 'validated',
  })
  await add()
  const pending = options.constraint.kind === 'unique' ? 'pending' : 'added'
  return { constraint: existing === 'missing' ? pending : 'exists', update }
}

function rowOf({ update, dependsOn = [], ordering = 0, by = null }: WithRow) {
  const names = typeof dependsOn === 'string' ? [dependsOn] : dependsOn
  return { name: update, progressJson: '{}', dependsOn: names, ordering, by }
}

interface WithRow {
  readonly update: string
  readonly dependsOn?: string | readonly string[]
  readonly ordering?: number
  readonly by?: string | null
}

async function addOnSqlite<Tx>(
  database: Database<Tx>,
  options: AddConstraintOptions<Tx>,
): Promise<AddConstraintResult> {
  if (options.tx !== undefined) {
    throw new UnsupportedError(
      `addConstraint "${options.constraintName}" inside a transaction (tx)`,
      'SQLite',
      "The table is rebuilt with foreign keys off, and they can't be switched off inside a transaction. Leave out `tx` " +
        'and call it outside of any transaction.',
    )
  }
  if (options.schema !== undefined) {
    throw new UnsupportedError('the option schema', 'SQLite', 'Leave it out: SQLite has one schema a file.')
  }
  const tables = tablesOf('sqlite')
  const before = await database.session(async ({ query }) => {
    await checkInstallationThrough(query, 'main', tables)
    const found = await readRebuildableTable(query, options.table)
    return hasConstraint(query, found, options.constraint, options.constraintName)
  })
  const { constraintName, table, constraint, onViolation = 'report', maxViolations, keepIn, newTableSql } = options
  let update: AddConstraintResult['update'] = 'not applicable'
  await addConstraintBySqliteRebuild(database, {
    constraintName,
    table,
    constraint,
    onViolation,
    maxViolations: limitOf(maxViolations),
    keepIn,
    newTableSql,
    inTransaction: async (query) => {
      update = await ensureRecorded(query, tables, options.update)
    },
  })
  return { constraint: before ? 'exists' : 'added', update }
}
