import { requireReadable } from '../options.js'
import type { ReadContext } from '../databases/database.js'
import type { JsonObject } from '../json.js'
import type { WalkPlan } from '../keyset/walk.js'
import { changeRange, changing } from './backfill/change.js'
import { BACKFILL_OPTIONS, backfillProblems, type BackfillOptions } from './backfill/options.js'
import { reportBackfill } from './backfill/report.js'
import { FIRST_PASS, verifyBatch, type Verification } from './backfill/verification.js'
import { commonDefinition } from './define.js'
import type { BatchContext, BatchedUpdate, BatchResult } from './definition.js'
import { previewWalk } from './preview/preview-walk.js'
import { checkWritableColumns } from './walk/check-columns.js'
import { ConnectionCache } from './walk/connection-cache.js'
import { walkLanes } from './walk/lanes.js'
import { WALK_OPTIONS } from './walk/options.js'
import { planTableWalk } from './walk/plan-table-walk.js'
import { savedKeys, type WalkProgress } from './walk/progress.js'
import { narrowed } from './walk/sql.js'
import { resultOf, walkBatch } from './walk/walk-batch.js'

export type { BackfillOptions, BackfillRange, BackfillRun, RunSql } from './backfill/options.js'
export { VerificationError } from './backfill/verification.js'

const DEFAULT_VERIFY_PASSES = 3

/**
 * Changes all rows of a table, one SQL statement a batch: it walks the table along a unique key and sets columns to SQL
 * expressions (`set`), or runs a statement of your own over each range of rows (`run`). Items are rows walked over.
 *
 * @throws ConfigurationError naming every option that is wrong; later, from the update, SchemaMismatchError for a table,
 * column or key that doesn't fit, VerificationError for rows that stay wrong
 * @example
 * import { backfill } from 'evenkeel'
 *
 * export const lowercaseEmails = backfill({
 *   name: 'lowercase_emails',
 *   table: 'users',
 *   set: { email_lower: 'lower(email)' },
 *   where: 'email_lower IS NULL',
 * })
 *
 * export const totals = backfill({
 *   name: 'order_totals',
 *   table: 'orders',
 *   async run({ sql, range }) {
 *     await sql(`UPDATE orders SET total = net * (1 + $1) WHERE ${range.sql}`, [0.19])
 *   },
 * })
 */
export function backfill<Tx = unknown>(options: BackfillOptions<Tx>): BatchedUpdate<Tx, JsonObject> {
  requireReadable('backfill', options)
  const common = commonDefinition(
    'backfill',
    options,
    [...WALK_OPTIONS, ...BACKFILL_OPTIONS],
    backfillProblems(options),
  )
  const plans = new ConnectionCache((context) => planBackfill(context, options))
  return {
    ...common,
    table: options.table,
    oneShot: false,
    initialProgress: {},
    preview: async (context, progress) => {
      const plan = await context.step((query) => planBackfill({ query, dialect: context.dialect }, options))
      if (plan === null) return null
      return previewWalk(context, plan, {
        does: 'change',
        lower: savedKeys(common.name, progress, plan).lower ?? null,
        predicate: (range) => {
          const { sql, values } = range.predicate()
          return { sql: narrowed(sql, options.where), values }
        },
      })
    },
    report: (progress) => reportBackfill(progress, options.verify !== undefined),
    batch: (context: BatchContext<Tx, JsonObject, never>) =>
      plans.use(context, context.progress.first === undefined, (plan) => backfillBatch(context, plan, options)),
    forgetSchema: () => plans.forget(),
    lanes: walkLanes({
      wanted: options.lanes,
      plan: (context) => planBackfill(context, options),
      isWalking: (progress) => progress.verification === undefined,
      batch: (context: BatchContext<Tx, JsonObject, never>) =>
        plans.use(context, false, async (plan) => {
          const work = changing(context, plan, options, options.where)
          const step = await walkBatch(context, plan, context.progress, work)
          return resultOf(step)
        }),
      afterWalk: (progress) => afterLanes(progress, options),
      report: (progress) => reportBackfill(progress, options.verify !== undefined),
    }),
  }
}

// Rows that came behind the end are followed, and what was missed is looked for, by one walk.
function afterLanes<Tx>(
  { end, ...walk }: WalkProgress,
  { follow = false, verify }: BackfillOptions<Tx>,
): { readonly progress: JsonObject; readonly done: boolean } {
  if (follow) return { progress: walk, done: false }
  const progress = { ...walk, ...(end === undefined ? {} : { end }) }
  return verify === undefined
    ? { progress, done: true }
    : { progress: { ...progress, verification: FIRST_PASS }, done: false }
}

async function planBackfill<Tx>(context: ReadContext, options: BackfillOptions<Tx>): Promise<WalkPlan> {
  const plan = await planTableWalk(context, options.table, options.key)
  checkWritableColumns(plan, Object.keys(options.set ?? {}), 'set')
  return plan
}

async function backfillBatch<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  options: BackfillOptions<Tx>,
): Promise<BatchResult<JsonObject>> {
  const { verify, follow, where, maxVerifyPasses = DEFAULT_VERIFY_PASSES } = options
  const { verification, ...walk } = context.progress as WalkProgress & { readonly verification?: Verification }
  if (verification === undefined) {
    const work = changing(context, plan, options, where)
    const step = await walkBatch(context, plan, walk, { follow, ...work })
    if (!step.finished || verify === undefined) {
      return resultOf(step)
    }
    return { items: step.items, progress: { ...step.progress, verification: FIRST_PASS } }
  }
  const step = await verifyBatch(context, plan, verification, {
    wrong: verify ?? 'FALSE',
    maxPasses: maxVerifyPasses,
    repair: (range) => changeRange(context, plan, options, range, verify),
  })
  return {
    items: step.items,
    progress: { ...walk, verification: step.verification },
    done: step.finished,
  }
}
