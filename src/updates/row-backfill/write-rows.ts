import { requireColumns } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import { keyEquals, keyParameters } from '../../keyset/range.js'
import type { WalkPlan } from '../../keyset/walk.js'
import { isRowsOwnFailure, type RowFailure } from './failures.js'
import { groupByColumns, type ChangedRow } from './map-rows.js'
import { postgresText, textArrayLiteral } from './postgres-text.js'
import { keyJoin } from './read-rows.js'

type Writer = (rows: readonly ChangedRow[]) => Promise<number>

/**
 * Writes all rows: one statement for each set of columns that rows change, usually one. Where it fails for the values
 * of a row, it is split until that row is known. Resolves to how many rows were changed.
 */
export async function writeRows(
  query: Query,
  plan: WalkPlan,
  rows: readonly ChangedRow[],
  onFailure: (failure: RowFailure) => void,
): Promise<number> {
  let changed = 0
  for (const [columns, group] of groupByColumns(plan, rows)) {
    const write =
      plan.key.dialect === 'postgres' ? postgresWriter(query, plan, columns) : sqliteWriter(query, plan, columns)
    changed += await writeSplitting(query, write, group, onFailure)
  }
  return changed
}

async function writeSplitting(
  query: Query,
  write: Writer,
  rows: readonly ChangedRow[],
  onFailure: (failure: RowFailure) => void,
): Promise<number> {
  await query('SAVEPOINT evenkeel_rows')
  try {
    const changed = await write(rows)
    await query('RELEASE SAVEPOINT evenkeel_rows')
    return changed
  } catch (error) {
    if (!isRowsOwnFailure(error)) throw error
    await query('ROLLBACK TO SAVEPOINT evenkeel_rows')
    await query('RELEASE SAVEPOINT evenkeel_rows')
    const [only, ...others] = rows
    if (only === undefined) throw error
    if (others.length === 0) {
      onFailure({ key: only.key, error })
      return 0
    }
    const middle = Math.ceil(rows.length / 2)
    const before = await writeSplitting(query, write, rows.slice(0, middle), onFailure)
    return before + (await writeSplitting(query, write, rows.slice(middle), onFailure))
  }
}

// The value's text is cast to the type without its length: only the assignment then tells that it is too long.
function postgresWriter(query: Query, plan: WalkPlan, names: readonly string[]): Writer {
  const columns = requireColumns(plan.table, names, 'map')
  const keys = plan.key.columns.map((_, index) => `key_${index + 1}`)
  const values = columns.map((_, index) => `value_${index + 1}`)
  const arrays = [...keys, ...values].map((_, index) => `$${index + 1}::text::text[]`)
  const assignments = columns.map(
    (column, index) =>
      `${quoteIdentifier(column.name, 'postgres')} = evenkeel_new.value_${index + 1}::${column.castType}`,
  )
  const text = `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    FROM unnest(${arrays.join(', ')}) AS evenkeel_new (${[...keys, ...values].join(', ')})
    WHERE ${keyJoin(plan, 'evenkeel_new', 'key_')}`
  return async (rows) => {
    const keyTexts = rows.map((row) => keyParameters(plan.key, row.key) as string[])
    const parameters = [
      ...keys.map((_, index) => textArrayLiteral(keyTexts.map((key) => key[index] ?? null))),
      ...columns.map((column) =>
        textArrayLiteral(rows.map((row) => postgresText(row.change[column.name], column.castType))),
      ),
    ]
    return (await query(text, parameters)).rowCount
  }
}

// One prepared statement, run for each row: inside the process that costs less than a join with a list of values, and
// every value keeps its storage class.
function sqliteWriter(query: Query, plan: WalkPlan, names: readonly string[]): Writer {
  const assignments = names.map((name, index) => `${quoteIdentifier(name, 'sqlite')} = $${index + 1}`)
  const text = `
    UPDATE ${plan.tableSql}
    SET ${assignments.join(',\n      ')}
    WHERE ${keyEquals(plan.key, (_, index) => `$${names.length + index + 1}`)}`
  return async (rows) => {
    let changed = 0
    for (const { key, change } of rows) {
      const parameters = [...names.map((name) => change[name]), ...keyParameters(plan.key, key)]
      changed += (await query(text, parameters)).rowCount
    }
    return changed
  }
}
