import { requireReadable } from '../options.js'
import type { Query, ReadContext } from '../databases/database.js'
import type { TableName } from '../databases/identifier.js'
import type { JsonObject } from '../json.js'
import type { SqlPart } from '../keyset/range.js'
import type { KeySlice, WalkPlan } from '../keyset/walk.js'
import { commonDefinition } from './define.js'
import type { BatchContext, BatchedUpdate, BatchResult, ProgressReport } from './definition.js'
import { DeleteLimitError, refuseTooMany } from './delete-rows/limit.js'
import { planKeeping, type Keeping } from './delete-rows/keeping.js'
import { movePostgresRows, moveSqliteRows } from './delete-rows/move.js'
import { previewWalk } from './preview/preview-walk.js'
import { ConnectionCache } from './walk/connection-cache.js'
import { walkShare } from './walk/fraction.js'
import { savedCount, savedKeys } from './walk/progress.js'
import { limitOf, limitProblems, type RowLimit } from './row-limit.js'
import { walkLanes } from './walk/lanes.js'
import { sqlProblems, tableProblems, WALK_OPTIONS, walkProblems, type WalkOptions } from './walk/options.js'
import { planTableWalk } from './walk/plan-table-walk.js'
import { narrowed } from './walk/sql.js'
import { resultOf, walkBatch } from './walk/walk-batch.js'

export { DeleteLimitError } from './delete-rows/limit.js'
export { RowsNotKeptError } from './delete-rows/move.js'

export interface DeleteRowsOptions extends WalkOptions {
  /** SQL condition for the rows to delete; `TRUE` (SQLite: `1`) for all. */
  readonly where: string
  /**
   * A table that keeps the deleted rows: the same transaction moves them there. It has at least the same columns with
   * the same types; generated columns are left out unless it keeps them as plain ones.
   */
  readonly keepIn?: TableName
  /**
   * The most rows that it may delete or move, or `'unlimited'`. One more fails the update before any row of that batch
   * is touched; what was committed stays. Required without `keepIn`, with it the default is `'unlimited'`.
   */
  readonly maxDeletes?: RowLimit
}

interface DeletePlan {
  readonly walk: WalkPlan
  readonly keeping: Keeping | null
}

/**
 * Deletes the rows that fulfil a condition, in batches, or moves them into another table. Items are rows walked over.
 *
 * @throws ConfigurationError naming every option that is wrong; later, from the update, SchemaMismatchError for tables
 * that don't fit, DeleteLimitError, RowsNotKeptError when a row could not be moved
 * @example
 * import { deleteRows } from 'evenkeel'
 *
 * export const archive = deleteRows({
 *   name: 'archive_orders',
 *   table: 'orders',
 *   where: "placed_at < DATE '2020-01-01'",
 *   keepIn: { schema: 'archive', name: 'orders' },
 * })
 *
 * export const purge = deleteRows({ name: 'purge_sessions', table: 'sessions', where: 'expired', maxDeletes: 50_000 })
 */
export function deleteRows(options: DeleteRowsOptions): BatchedUpdate<unknown, JsonObject> {
  requireReadable('deleteRows', options)
  const common = commonDefinition(
    'deleteRows',
    options,
    [...WALK_OPTIONS, 'keepIn', 'maxDeletes'],
    [
      ...walkProblems(options),
      ...(options?.where === undefined ? sqlProblems('where', undefined) : []),
      ...(options?.keepIn === undefined ? [] : tableProblems('keepIn', options.keepIn)),
      ...limitProblems('maxDeletes', options?.maxDeletes, options?.keepIn === undefined),
      ...laneLimitProblems(options),
    ],
  )
  const plans = new ConnectionCache((context) => planDelete(context, options))
  const report = (progress: JsonObject): ProgressReport => ({
    ...walkShare(progress),
    phase: 'walk',
    detail: `${savedCount(progress, 'walked')} rows walked, ${savedCount(progress, 'changed')} ${options.keepIn === undefined ? 'deleted' : 'moved'}`,
  })
  const batch = (context: BatchContext<unknown, JsonObject, never>): Promise<BatchResult<JsonObject>> =>
    plans.use(context, context.progress.first === undefined, async (plan) => {
      const step = await walkBatch(context, plan.walk, context.progress, {
        slice: (rows, deletedBefore, query) => deleteSlice({ ...context, query }, plan, options, rows, deletedBefore),
      })
      return resultOf(step)
    })
  return {
    ...common,
    table: options.table,
    oneShot: false,
    initialProgress: {},
    deletes: true,
    preview: async (context, progress) => {
      const plan = await context.step((query) => planDelete({ query, dialect: context.dialect }, options))
      if (plan === null) return null
      return previewWalk(context, plan.walk, {
        does: plan.keeping === null ? 'delete' : 'move',
        lower: savedKeys(common.name, progress, plan.walk).lower ?? null,
        predicate: (range) => rowsToDelete(range, options),
      })
    },
    report,
    batch,
    forgetSchema: () => plans.forget(),
    lanes: walkLanes({
      wanted: options.lanes,
      plan: async (context) => (await planDelete(context, options)).walk,
      isWalking: () => limitOf(options.maxDeletes) === Infinity,
      batch,
      afterWalk: (progress) => ({ progress, done: true }),
      report,
    }),
  }
}

// A limit holds over all rows; lanes that don't know of each other's rows couldn't keep it.
function laneLimitProblems(options: DeleteRowsOptions): string[] {
  const { lanes = 1, maxDeletes } = options ?? {}
  if (lanes <= 1 || typeof maxDeletes !== 'number') return []
  return ["lanes needs maxDeletes: 'unlimited': only one walk can keep a limit"]
}

async function planDelete(context: ReadContext, { table, key, keepIn }: DeleteRowsOptions): Promise<DeletePlan> {
  const walk = await planTableWalk(context, table, key)
  if (keepIn === undefined) return { walk, keeping: null }
  return { walk, keeping: await planKeeping(context, walk.table, keepIn) }
}

async function deleteSlice(
  { query, dialect, update, progress }: BatchContext<unknown, JsonObject>,
  { walk, keeping }: DeletePlan,
  { where, maxDeletes }: DeleteRowsOptions,
  slice: KeySlice,
  deletedBefore: number,
): Promise<number> {
  const predicate = rowsToDelete(slice, { where })
  const limit = {
    limit: limitOf(maxDeletes),
    before: savedCount(progress, 'changed') + deletedBefore,
    updateName: update.name,
  }
  await refuseTooMany(query, walk, predicate, slice.rows, limit)
  const move = dialect === 'postgres' ? movePostgresRows : moveSqliteRows
  const deleted =
    keeping === null
      ? await deleteRowsOf(query, walk, predicate)
      : await move(query, walk, keeping, predicate, `deleteRows "${update.name}"`)
  // Rows may have come under the condition since they were counted: then the batch is rolled back.
  if (limit.before + deleted > limit.limit) throw new DeleteLimitError(limit, deleted)
  return deleted
}

function rowsToDelete(slice: KeySlice, { where }: Pick<DeleteRowsOptions, 'where'>): SqlPart {
  const { sql, values } = slice.predicate()
  return { sql: narrowed(sql, where), values }
}

async function deleteRowsOf(query: Query, { tableSql }: WalkPlan, { sql, values }: SqlPart): Promise<number> {
  const { rowCount } = await query(
    `DELETE FROM ${tableSql}
     WHERE ${sql}`,
    values,
  )
  return rowCount
}
