import type { ReadContext } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import type { JsonObject } from '../../json.js'
import type { KeyRange, KeySlice, WalkPlan } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { enclosed, narrowed } from '../walk/sql.js'
import type { WalkWork } from '../walk/walk-batch.js'
import type { BackfillOptions } from './options.js'
import { runOver } from './run-statement.js'

/** What to do with the rows of a step: changes those that fulfil `condition`. */
export function changing<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  { set, run }: BackfillOptions<Tx>,
  condition: string | undefined,
): WalkWork {
  return run === undefined
    ? {
        slice: (rows, _changedBefore, query) =>
          changeRows({ query, dialect: context.dialect }, plan, set, rows, condition),
      }
    : { work: (range) => runOver(context, run, range, condition) }
}

/** Changes the rows of a range that fulfil `condition`; resolves to how many were changed. */
export async function changeRange<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  { set, run }: BackfillOptions<Tx>,
  range: KeyRange,
  condition: string | undefined,
): Promise<number> {
  return run === undefined ? changeRows(context, plan, set, range, condition) : runOver(context, run, range, condition)
}

async function changeRows(
  { query, dialect }: ReadContext,
  plan: WalkPlan,
  set: BackfillOptions<never>['set'],
  rows: KeySlice,
  condition: string | undefined,
): Promise<number> {
  const { sql, values } = rows.predicate()
  const assignments = Object.entries(set ?? {}).map(
    ([column, expression]) => `${quoteIdentifier(column, dialect)} = ${enclosed(expression)}`,
  )
  const { rowCount } = await query(
    `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    WHERE ${narrowed(sql, condition)}`,
    values,
  )
  return rowCount
}
