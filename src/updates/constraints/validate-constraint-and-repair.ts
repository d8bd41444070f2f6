import { requireComparable } from '../../databases/catalogue/compared-columns.js'
import { findPostgresConstraint } from '../../databases/catalogue/constraint.js'
import { describeTable, requireColumns } from '../../databases/catalogue/table.js'
import type { Query, ReadContext } from '../../databases/database.js'
import { quoteIdentifier, type TableName } from '../../databases/identifier.js'
import { MAX_LOCK_TRIES } from '../../databases/lock-timeout.js'
import { InvalidQueueRowError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { describe, requireReadable } from '../../options.js'
import { commonDefinition } from '../define.js'
import type { BatchContext, BatchedUpdate, BatchResult, CommonOptions, PrepareContext } from '../definition.js'
import { planKeeping } from '../delete-rows/keeping.js'
import { previewWalk } from '../preview/preview-walk.js'
import { limitOf, limitProblems, type RowLimit } from '../row-limit.js'
import { ConnectionCache } from '../walk/connection-cache.js'
import { walkFraction } from '../walk/fraction.js'
import { columnListProblems, tableProblems } from '../walk/options.js'
import { planDescribedWalk } from '../walk/plan-table-walk.js'
import { savedCount, savedKeys, type WalkProgress } from '../walk/progress.js'
import { walkBatch } from '../walk/walk-batch.js'
import { comparedColumns } from './compared-columns.js'
import { constraintProblems, nameProblems, type Constraint, type OnViolation } from './constraint.js'
import { ownColumns } from './constraint-sql.js'
import { ConstraintViolationsError, LockNotAvailableError, RepairIncompleteError } from './errors.js'
import {
  requireConstraint,
  requirePostgresTable,
  requireSameDefinition,
  scratchSavepoint,
} from './existing-constraint.js'
import { findViolations } from './find-violations.js'
import { keyComparisons } from './key-comparisons.js'
import { repairRange, violatorsIn, type RepairPlan } from './repair-rows.js'
import { requireNullable } from './require-nullable.js'
import { tryValidate, withoutTimeLimits } from './try-validate.js'
import { attachUniqueIfPossible, uniqueIndexUpdate } from './unique-constraint.js'
import { repairColumns } from './violation.js'

export interface ValidateAndRepairOptions extends CommonOptions {
  readonly table: TableName
  /** Name of the constraint, which must be there, NOT VALID: `addConstraint` adds it. */
  readonly constraintName: string
  /** What the constraint is. One of the same name but another definition is an error, and no row is changed. */
  readonly constraint: Constraint
  /**
   * Columns whose tuple is unique and NOT NULL, to walk by. Default: the primary key, or the only such unique key. Of
   * duplicates under `unique()`, the row with the lowest key stays as it is.
   */
  readonly key?: string | readonly string[]
  /**
   * `delete` deletes the rows that violate it, `null` sets their columns to NULL (a foreign key's or unique
   * constraint's own columns, those that `check()` names), `report` changes nothing and fails with count and samples.
   */
  readonly onViolation: OnViolation
  /**
   * More repaired rows than this fail the update before any row over the limit is changed; `'unlimited'` sets no limit.
   * Required with `delete` and without `keepIn`; else the default is `'unlimited'`.
   */
  readonly maxViolations?: RowLimit
  /** With `delete`: a table of the same shape that keeps the deleted rows. */
  readonly keepIn?: TableName
  /**
   * Rows that refer to a deleted row by ON DELETE CASCADE, SET NULL or SET DEFAULT may be deleted or changed with it, and
   * so may rows that refer by ON UPDATE to columns that are set to NULL; `keepIn` doesn't keep them. Default false: such a
   * row fails the update, and nothing is changed.
   */
  readonly allowCascade?: boolean
}

const OPTIONS = [
  'table',
  'constraintName',
  'constraint',
  'key',
  'onViolation',
  'maxViolations',
  'keepIn',
  'allowCascade',
]
const ACTIONS: readonly unknown[] = ['delete', 'null', 'report']

// Each walk but the last repairs something, which new rows can't undo, for they obey the constraint. Triggers can.
const MAX_WALKS = 5

/**
 * An update that validates a constraint and repairs the rows that violate it: it tries VALIDATE, walks the table in
 * batches by a unique key when rows violate it, and validates again. PostgreSQL.
 *
 * For `unique()` it repairs the duplicates, builds the index concurrently and makes it the constraint.
 *
 * The update fails at once with ConstraintViolationsError, CascadeRefusedError, RepairRefusedError,
 * RepairIncompleteError, ConstraintMissingError or ConstraintDefinitionError.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { foreignKey, validateConstraintAndRepair } from 'evenkeel'
 *
 * export const postsAuthor = validateConstraintAndRepair({
 *   name: 'validate_posts_author',
 *   table: 'posts',
 *   constraintName: 'posts_author_fkey',
 *   constraint: foreignKey({ columns: { author_id: 'id' }, references: 'users' }),
 *   onViolation: 'delete',
 *   keepIn: 'orphaned_posts',
 *   maxViolations: 10_000,
 * })
 */
export function validateConstraintAndRepair(options: ValidateAndRepairOptions): BatchedUpdate<unknown, JsonObject> {
  requireReadable('validateConstraintAndRepair', options)
  const common = commonDefinition('validateConstraintAndRepair', options, OPTIONS, optionProblems(options), [
    'postgres',
  ])
  const { constraint } = options
  const plans = new ConnectionCache((context) => planRepair(context, options))
  return {
    ...common,
    table: options.table,
    oneShot: false,
    initialProgress: { state: 'validate', lower_bound: null },
    check: async (context) => {
      const { query } = context
      quoteIdentifier(options.constraintName, 'postgres')
      const table = await requirePostgresTable(query, options.table)
      if (options.constraint.kind !== 'unique') await requireConstraint(query, table, options.constraintName)
      if (options.onViolation === 'report') await requireComparable(context, comparedColumns(constraint, table))
      else await planRepair(context, options)
    },
    deletes: options.onViolation === 'delete',
    preview: async (context, progress) => {
      if (options.onViolation === 'report') return null
      const plan = await context.step((query) => planRepair({ query, dialect: context.dialect }, options))
      if (plan === null) return null
      const deleted = plan.keeping === null ? 'delete' : 'move'
      return previewWalk(context, plan.walk, {
        does: options.onViolation === 'delete' ? deleted : 'change',
        lower: savedKeys(common.name, asWalk(progress), plan.walk).lower ?? null,
        predicate: (range) => violatorsIn(plan, range),
      })
    },
    report: (progress) => ({
      fraction: stateOf(common.name, progress) === 'check' ? walkFraction(asWalk(progress)) : null,
      phase: stateOf(common.name, progress) === 'check' ? 'repairing' : 'validating',
      detail: `${savedCount(progress, 'repaired')} rows repaired`,
    }),
    prepare:
      constraint?.kind === 'unique'
        ? async (context: PrepareContext<JsonObject>) => {
            // In a transaction no index can be built beside the application.
            if (stateOf(common.name, context.progress) === 'check') return
            const index = uniqueIndexUpdate(options, constraint)
            await context.session((session) => {
              const oneShot = { ...context, session, query: session.query, tx: session.connection }
              return attachUniqueIfPossible(oneShot, options, constraint, index)
            })
          }
        : undefined,
    batch: (context: BatchContext<unknown, JsonObject, never>) =>
      // A report changes nothing, whatever somebody wrote into the row.
      stateOf(common.name, context.progress) === 'validate' || options.onViolation === 'report'
        ? validateStep(context, options)
        : plans.use(context, context.progress.first === undefined, (plan) => checkStep(context, plan)),
  }
}

function optionProblems(options: ValidateAndRepairOptions): string[] {
  const { onViolation, constraint, keepIn, allowCascade, key } = options ?? {}
  const problems = [
    ...tableProblems('table', options?.table),
    ...nameProblems('constraintName', options?.constraintName),
    ...constraintProblems(constraint),
    ...(key === undefined ? [] : columnListProblems('key', typeof key === 'string' ? [key] : key)),
    ...limitProblems('maxViolations', options?.maxViolations, onViolation === 'delete' && keepIn === undefined),
    ...(keepIn === undefined ? [] : tableProblems('keepIn', keepIn)),
  ]
  if (!ACTIONS.includes(onViolation)) {
    problems.push(`onViolation must be "delete", "null" or "report", not ${describe(onViolation)}`)
  }
  if (keepIn !== undefined && onViolation !== 'delete') problems.push('keepIn goes with onViolation "delete" only')
  if (allowCascade !== undefined && typeof allowCascade !== 'boolean') {
    problems.push(`allowCascade must be true or false, not ${describe(allowCascade)}`)
  }
  if (onViolation === 'null' && constraintProblems(constraint).length === 0) {
    const columns = repairColumns(constraint)
    if (typeof columns === 'string') problems.push(`onViolation "null" is not possible for this constraint: ${columns}`)
  }
  return problems
}

async function planRepair(context: ReadContext, options: ValidateAndRepairOptions): Promise<RepairPlan> {
  const { constraint, constraintName, onViolation, keepIn } = options
  const table = await describeTable(context, options.table)
  requireColumns(table, ownColumns(constraint), 'constraint')
  if (onViolation === 'null') requireNullable(table, constraint)
  const walk = await planDescribedWalk(context, table, options.key, comparedColumns(constraint, table))
  if (onViolation === 'report') throw new TypeError('a report repairs nothing')
  const relation = await requirePostgresTable(context.query, table)
  return {
    updateName: options.name,
    constraintName,
    constraint,
    comparisons: await keyComparisons(context.query, relation, constraintName, constraint),
    onViolation,
    maxViolations: limitOf(options.maxViolations),
    allowCascade: options.allowCascade ?? false,
    walk,
    keeping: keepIn === undefined ? null : await planKeeping(context, table, keepIn),
    relation,
  }
}

async function validateStep(
  { query, progress, log, liftDeadline }: BatchContext<unknown, JsonObject>,
  options: ValidateAndRepairOptions,
): Promise<BatchResult<JsonObject>> {
  // VALIDATE reads the whole table.
  liftDeadline()
  const { constraint, constraintName } = options
  const table = await requirePostgresTable(query, options.table)
  const result = await tryValidate(query, table, constraintName, constraint)
  if (result.outcome === 'valid') return { items: 0, done: true, tune: false }
  // The duplicates went after `prepare` had looked: it builds the index before the next batch.
  if (result.outcome === 'unbuilt') return { items: 0, tune: false }
  if (result.outcome === 'locked') {
    const lockTries = savedCount(progress, 'lock_tries') + 1
    if (lockTries >= MAX_LOCK_TRIES) {
      const hint = 'See who holds the table in pg_locks, then retry the update.'
      throw new LockNotAvailableError(`VALIDATE "${constraintName}"`, lockTries, 5_000, hint, result.error)
    }
    return { items: 0, progress: { ...progress, lock_tries: lockTries }, tune: false }
  }
  const walks = savedCount(progress, 'walks')
  if (options.onViolation === 'report') {
    await withoutTimeLimits(query)
    const found = await findViolations(query, table, constraint, constraintName)
    throw new ConstraintViolationsError(constraintName, table.name, found, result.error)
  }
  if (walks >= MAX_WALKS || (walks > 0 && savedCount(progress, 'changed') === 0)) {
    await withoutTimeLimits(query)
    const { samples } = await findViolations(query, table, constraint, constraintName)
    throw new RepairIncompleteError(constraintName, table.name, samples, result.error)
  }
  log.info({ constraint: constraintName, error: result.error.message }, 'rows violate the constraint; walks the table')
  const repaired = savedCount(progress, 'repaired')
  return { items: 0, progress: { state: 'check', lower_bound: null, walks, repaired }, tune: false }
}

async function checkStep(
  context: BatchContext<unknown, JsonObject>,
  plan: RepairPlan,
): Promise<BatchResult<JsonObject>> {
  const { progress, query } = context
  // Once more, for a row that begins here because somebody wrote so: other rows are not ours to change.
  if (progress.first === undefined) await requireRightConstraint(query, plan)
  const repaired = savedCount(progress, 'repaired')
  let repairedNow = 0
  const step = await walkBatch(context, plan.walk, asWalk(progress), {
    work: async (range) => {
      repairedNow = await repairRange(query, plan, range, repaired)
      return repairedNow
    },
  })
  const { lower, ...walk } = step.progress
  const next = { ...walk, lower_bound: lower ?? null, repaired: repaired + repairedNow }
  if (!step.finished) return { items: step.items, progress: { ...next, state: 'check' } }
  const { walked, changed } = step.progress
  const walks = savedCount(progress, 'walks') + 1
  return {
    items: step.items,
    progress: { state: 'validate', lower_bound: null, walks, walked, changed, repaired: next.repaired } as JsonObject,
  }
}

async function requireRightConstraint(query: Query, plan: RepairPlan): Promise<void> {
  const { relation, constraintName, constraint } = plan
  const existing = await findPostgresConstraint(query, relation.oid, constraintName)
  if (existing === null && constraint.kind === 'unique') return
  const found = existing ?? (await requireConstraint(query, relation, constraintName))
  await requireSameDefinition(query, relation, found, constraint, scratchSavepoint)
}

function stateOf(updateName: string, { state }: JsonObject): 'validate' | 'check' {
  if (state === undefined || state === 'validate') return 'validate'
  if (state === 'check') return 'check'
  throw new InvalidQueueRowError(updateName, `progress.state is ${JSON.stringify(state)}, not "validate" or "check"`)
}

function asWalk({ lower_bound: lower, ...rest }: JsonObject): WalkProgress {
  return { ...rest, ...(lower === undefined || lower === null ? {} : { lower }) } as WalkProgress
}
