import { requireReadable } from '../options.js'
import type { ReadContext } from '../databases/database.js'
import { requireColumns } from '../databases/catalogue/table.js'
import type { JsonObject } from '../json.js'
import type { KeyRange } from '../keyset/walk.js'
import { commonDefinition } from './define.js'
import type { BatchContext, BatchedUpdate, BatchResult, ProgressReport } from './definition.js'
import { readConditions } from './row-backfill/conditions.js'
import { handleRows } from './row-backfill/handle-rows.js'
import { ROW_BACKFILL_OPTIONS, rowBackfillProblems, type RowBackfillOptions } from './row-backfill/options.js'
import { readRange, type RowSelection } from './row-backfill/read-rows.js'
import { retryBatch, type Retry } from './row-backfill/retry.js'
import { previewWalk } from './preview/preview-walk.js'
import { ConnectionCache } from './walk/connection-cache.js'
import { walkShare } from './walk/fraction.js'
import { walkLanes } from './walk/lanes.js'
import { WALK_OPTIONS } from './walk/options.js'
import { planTableWalk } from './walk/plan-table-walk.js'
import { savedCount, savedKeys, type WalkProgress } from './walk/progress.js'
import { narrowed } from './walk/sql.js'
import { resultOf, walkBatch } from './walk/walk-batch.js'

export { MapResultError, RowFailedError, RowsNotWrittenError } from './row-backfill/failures.js'
export type { RowBackfillOptions, RowChange, RowContext } from './row-backfill/options.js'

/**
 * Changes the rows of a table through TypeScript: reads them in batches along a unique key, calls `map` for each row (or
 * `mapBatch`), and writes what it returns with one statement. The rows are locked meanwhile. Items are rows walked over.
 *
 * A row that fails, in `map` or in the database, doesn't lose the batch: with `maxQuarantined` it is set aside with its
 * error and the walk goes on; `retry` with `quarantined` tries such rows again. A batch may be repeated as a whole, and
 * `mapBatch` is called again with parts of it when it throws, so keep side effects out of both.
 *
 * @throws ConfigurationError naming every option that is wrong; later, from the update, SchemaMismatchError for a table,
 * column or key that doesn't fit, RowFailedError for a row that can't be set aside, MapResultError,
 * RowsNotWrittenError
 * @example
 * import { rowBackfill } from 'evenkeel'
 *
 * export const slugs = rowBackfill<{ title: string }>({
 *   name: 'article_slugs',
 *   table: 'articles',
 *   columns: ['title'],
 *   where: 'slug IS NULL',
 *   map: (article) => ({ slug: article.title.normalize('NFKD').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-') }),
 * })
 */
export function rowBackfill<Row extends object = Record<string, unknown>>(
  options: RowBackfillOptions<Row>,
): BatchedUpdate<unknown, JsonObject> {
  requireReadable('rowBackfill', options)
  const ownOptions = [...WALK_OPTIONS, ...ROW_BACKFILL_OPTIONS]
  const common = commonDefinition('rowBackfill', options, ownOptions, rowBackfillProblems(options))
  const selections = new ConnectionCache((context) => select(context, options))
  return {
    ...common,
    table: options.table,
    oneShot: false,
    initialProgress: {},
    preview: async (context, progress) => {
      const selection = await context.step((query) => select({ query, dialect: context.dialect }, options))
      if (selection === null) return null
      return previewWalk(context, selection.plan, {
        does: 'change',
        lower: savedKeys(common.name, progress, selection.plan).lower ?? null,
        predicate: (range) => {
          const { sql, values } = range.predicate()
          return { sql: narrowed(sql, options.where), values }
        },
      })
    },
    report,
    batch: (context: BatchContext<unknown, JsonObject, never>) =>
      selections.use(context, context.progress.first === undefined, (selection) =>
        rowBatch(context, selection, options),
      ),
    forgetSchema: () => selections.forget(),
    lanes: walkLanes({
      wanted: options.lanes,
      plan: async (context) => (await select(context, options)).plan,
      isWalking: (progress) => progress.retryQuarantined !== true,
      batch: (context: BatchContext<unknown, JsonObject, never>) =>
        selections.use(context, false, (selection) => rowBatch(context, selection, options)),
      // Somebody asked meanwhile for the rows in quarantine to be tried again.
      afterWalk: (progress) => ({ progress, done: (progress as RowProgress).retryQuarantined !== true }),
      report,
    }),
  }
}

/** The progress of a row backfill: its walk, and the retry of rows in quarantine when one was asked for. */
type RowProgress = WalkProgress & {
  /** Rows in quarantine are to be tried again before the walk goes on. */
  readonly retryQuarantined?: boolean
  readonly retry?: Retry
}

async function select<Row extends object>(
  context: ReadContext,
  { table, key, columns, where }: RowBackfillOptions<Row>,
): Promise<RowSelection> {
  const plan = await planTableWalk(context, table, key)
  requireColumns(plan.table, columns, 'columns')
  return { plan, columns, where, ...(await readConditions(context, plan)) }
}

async function rowBatch<Row extends object>(
  context: BatchContext<unknown, JsonObject>,
  selection: RowSelection,
  options: RowBackfillOptions<Row>,
): Promise<BatchResult<JsonObject>> {
  const { retryQuarantined, retry, ...walk } = context.progress as RowProgress
  if (retryQuarantined === true) {
    const step = await retryBatch(context, selection, options, retry)
    if (!step.finished) return { items: step.items, progress: { ...context.progress, retry: step.retry } }
    // Then the walk goes on; one that had finished before finds nothing left.
    return { items: step.items, progress: { ...walk, retried: step.retry } }
  }
  const step = await walkBatch(context, selection.plan, walk, {
    work: async (range: KeyRange) => {
      const { value: rows } = await context.measured((query) => readRange(query, selection, range))
      return (await handleRows(context, selection, options, rows)).changed
    },
  })
  return resultOf(step)
}

function report(progress: JsonObject): ProgressReport {
  const walk = progress as RowProgress
  const counted = `${savedCount(walk, 'walked')} rows walked, ${savedCount(walk, 'changed')} changed`
  return walk.retryQuarantined === true
    ? {
        ...walkShare(walk),
        phase: 'retry of quarantined rows',
        detail: `${walk.retry?.tried ?? 0} tried again`,
      }
    : { ...walkShare(walk), phase: 'walk', detail: counted }
}
