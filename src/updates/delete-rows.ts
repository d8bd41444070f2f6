import type { ReadContext } from '../databases/database.js'
import { describeTable } from '../databases/catalogue/table.js'
import type { TableName } from '../databases/identifier.js'
import type { JsonObject } from '../json.js'
import { planWalk, type KeyRange, type WalkPlan } from '../keyset/walk.js'
import { commonDefinition } from './define.js'
import type { BatchContext, BatchedUpdate } from './definition.js'
import { movePostgresRows, moveSqliteRows, planKeeping, type Keeping } from './delete-rows/move.js'
import { ConnectionCache } from './walk/connection-cache.js'
import { walkFraction } from './walk/fraction.js'
import { savedCount } from './walk/progress.js'
import { keyColumns, sqlProblems, tableProblems, WALK_OPTIONS, walkProblems, type WalkOptions } from './walk/options.js'
import { narrowed } from './walk/sql.js'
import { walkBatch } from './walk/walk-batch.js'

export { RowsNotKeptError } from './delete-rows/move.js'

export interface DeleteRowsOptions extends WalkOptions {
  /** SQL condition for the rows to delete; `TRUE` (SQLite: `1`) for all. */
  readonly where: string
  /**
   * A table that keeps the deleted rows: the same transaction moves them there. It has at least the same columns with
   * the same types; generated columns are left out unless it keeps them as plain ones.
   */
  readonly keepIn?: TableName
}

interface DeletePlan {
  readonly walk: WalkPlan
  readonly keeping: Keeping | null
}

/**
 * Deletes the rows that fulfil a condition, in batches, or moves them into another table. Items are rows walked over.
 *
 * @throws ConfigurationError naming every option that is wrong; later, from the update, SchemaMismatchError for tables
 * that don't fit, RowsNotKeptError when a row could not be moved
 * @example
 * import { deleteRows } from 'evenkeel'
 *
 * export const archive = deleteRows({
 *   name: 'archive_orders',
 *   table: 'orders',
 *   where: "placed_at < DATE '2020-01-01'",
 *   keepIn: { schema: 'archive', name: 'orders' },
 * })
 */
export function deleteRows(options: DeleteRowsOptions): BatchedUpdate<unknown, JsonObject> {
  const common = commonDefinition(
    'deleteRows',
    options,
    [...WALK_OPTIONS, 'keepIn'],
    [
      ...walkProblems(options),
      ...(options?.where === undefined ? sqlProblems('where', undefined) : []),
      ...(options?.keepIn === undefined ? [] : tableProblems('keepIn', options.keepIn)),
    ],
  )
  const plans = new ConnectionCache((context) => planDelete(context, options))
  return {
    ...common,
    oneShot: false,
    initialProgress: {},
    check: async (context) => {
      await planDelete(context, options)
    },
    report: (progress) => ({
      fraction: walkFraction(progress),
      phase: 'walk',
      detail: `${savedCount(progress, 'walked')} rows walked, ${savedCount(progress, 'changed')} ${options.keepIn === undefined ? 'deleted' : 'moved'}`,
    }),
    batch: (context: BatchContext<unknown, JsonObject, never>) =>
      plans.use(context, context.progress.first === undefined, async (plan) => {
        const step = await walkBatch(context, plan.walk, context.progress, {
          work: (range) => deleteRange(context, plan, options.where, range),
        })
        return { items: step.items, progress: step.progress, done: step.finished }
      }),
  }
}

async function planDelete(context: ReadContext, { table, key, keepIn }: DeleteRowsOptions): Promise<DeletePlan> {
  const walk = planWalk(await describeTable(context, table), keyColumns(key))
  if (keepIn === undefined) return { walk, keeping: null }
  return { walk, keeping: planKeeping(walk.table, await describeTable(context, keepIn), keepIn) }
}

async function deleteRange(
  { query, dialect, update }: BatchContext<unknown, JsonObject>,
  { walk, keeping }: DeletePlan,
  where: string,
  range: KeyRange,
): Promise<number> {
  const { sql, values } = range.predicate()
  const predicate = { sql: narrowed(sql, where), values }
  if (keeping !== null) {
    const move = dialect === 'postgres' ? movePostgresRows : moveSqliteRows
    return move(query, walk, keeping, predicate, update.name)
  }
  const { rowCount } = await query(
    `DELETE FROM ${walk.tableSql}
     WHERE ${predicate.sql}`,
    values,
  )
  return rowCount
}
