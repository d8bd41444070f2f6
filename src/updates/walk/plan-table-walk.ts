import { requireComparable, type ComparedColumn } from '../../databases/catalogue/compared-columns.js'
import { describeTable, type TableDescription } from '../../databases/catalogue/table.js'
import type { ReadContext } from '../../databases/database.js'
import type { TableName } from '../../databases/identifier.js'
import { planWalk, type WalkPlan } from '../../keyset/walk.js'
import { keyColumns, type WalkOptions } from './options.js'

/**
 * Plans a walk over a table as the catalogue describes it now.
 *
 * @throws SchemaMismatchError when there is no such table, or no key that it can be walked by
 */
export async function planTableWalk(
  context: ReadContext,
  table: TableName,
  key: WalkOptions['key'],
): Promise<WalkPlan> {
  return planDescribedWalk(context, await describeTable(context, table), key)
}

/** The same for a table that was read already; `compared` are further columns that the update compares. */
export async function planDescribedWalk(
  context: ReadContext,
  table: TableDescription,
  key: WalkOptions['key'],
  compared: readonly ComparedColumn[] = [],
): Promise<WalkPlan> {
  const plan = planWalk(table, keyColumns(key))
  const walked = plan.key.columns.map(({ name }) => ({ table, column: name, byText: true }))
  await requireComparable(context, [...walked, ...compared])
  return plan
}
