import { quoteIdentifier } from '../../databases/identifier.js'
import type { JsonObject } from '../../json.js'
import type { KeyRange, WalkPlan } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { enclosed, narrowed } from '../walk/sql.js'
import type { BackfillOptions } from './options.js'
import { runOver } from './run-statement.js'

/** Changes the rows of `range` that fulfil `condition`; resolves to how many were changed. */
export async function changeRange<Tx>(
  context: BatchContext<Tx, JsonObject>,
  plan: WalkPlan,
  options: BackfillOptions<Tx>,
  range: KeyRange,
  condition: string | undefined,
): Promise<number> {
  const { set, run } = options
  if (run !== undefined) return runOver(context, run, range, condition)
  const { sql, values } = range.predicate()
  const assignments = Object.entries(set ?? {}).map(
    ([column, expression]) => `${quoteIdentifier(column, context.dialect)} = ${enclosed(expression)}`,
  )
  const { rowCount } = await context.query(
    `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    WHERE ${narrowed(sql, condition)}`,
    values,
  )
  return rowCount
}
