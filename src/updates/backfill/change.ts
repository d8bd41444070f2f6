import { quoteIdentifier } from '../../databases/identifier.js'
import type { JsonObject } from '../../json.js'
import type { KeyRange, WalkPlan } from '../../keyset/walk.js'
import type { BatchContext } from '../definition.js'
import { enclosed, narrowed } from '../walk/sql.js'
import type { BackfillOptions, BackfillRange, BackfillRun } from './options.js'

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

async function runOver<Tx>(
  { query, tx, signal, log, update, dialect }: BatchContext<Tx, JsonObject>,
  run: (batch: BackfillRun<Tx>) => Promise<number | void>,
  keyRange: KeyRange,
  condition: string | undefined,
): Promise<number> {
  const { sql: predicate, values: bounds } = keyRange.predicate()
  const range: BackfillRange = {
    sql: narrowed(predicate, condition),
    values: [...bounds],
    rows: keyRange.rows,
    upper: keyRange.upper,
    qualified: (alias) => narrowed(keyRange.predicate({ alias }).sql, condition),
  }
  let counted = 0
  const sql: BackfillRun<Tx>['sql'] = async (text, values = []) => {
    const takesRange = highestPlaceholder(text) > values.length
    const result = await query<never>(text, takesRange ? [...bounds, ...values] : values)
    counted += result.rowCount
    return result
  }
  const changed = await run({ sql, tx, range, signal, log, update, dialect })
  return typeof changed === 'number' ? changed : counted
}

function highestPlaceholder(text: string): number {
  return Math.max(0, ...Array.from(text.matchAll(/\$(\d+)/g), (match) => Number(match[1])))
}
