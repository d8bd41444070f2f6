import type { Query } from '../../databases/database.js'
import { TransactionRolledBackError } from '../../errors.js'
import { isRowsOwnFailure, RowsNotWrittenError, type RowFailure } from './failures.js'
import { groupByColumns, type ChangedRow } from './map-rows.js'
import type { RowSelection } from './read-rows.js'
import { postgresWriter } from './write-postgres.js'
import { sqliteWriter } from './write-sqlite.js'

/**
 * Writes all rows: one statement for each set of columns that rows change, usually one. Where that fails for the values
 * of a row, it is split until that row is known. Resolves to how many rows were changed.
 *
 * @throws RowsNotWrittenError where a key finds no row
 */
export async function writeRows(
  query: Query,
  updateName: string,
  { plan, checkedLate, arrayNulls }: RowSelection,
  rows: readonly ChangedRow[],
  onFailure: (failure: RowFailure) => void,
): Promise<number> {
  if (rows.length === 0) return 0
  const writer = (plan.key.dialect === 'postgres' ? postgresWriter : sqliteWriter)(query, plan)
  const write = async (part: readonly ChangedRow[]): Promise<number> => {
    let changed = 0
    for (const [columns, group] of groupByColumns(plan, part)) changed += await writer.write(columns, group)
    return changed
  }
  let checked = false
  const writeSplitting = async (part: readonly ChangedRow[]): Promise<number> => {
    await query('SAVEPOINT evenkeel_rows')
    try {
      // What the last part was checked by must not be in the way of this one.
      if (checked) await query('SET CONSTRAINTS ALL DEFERRED')
      let changed = await write(part)
      // The rows are locked, so fewer can only mean a table that refuses some, by a trigger or a rule, or lost keys.
      if (changed < part.length && (await writer.found(part)) < part.length) {
        // Or a trigger has deleted rows: then they are there before the write.
        await query('ROLLBACK TO SAVEPOINT evenkeel_rows')
        const lost = part.length - (await writer.found(part))
        if (lost > 0) throw new RowsNotWrittenError(updateName, plan, lost, part.length)
        changed = await write(part)
      }
      if (checkedLate) {
        // At COMMIT nobody could tell any more which row it is.
        await query('SET CONSTRAINTS ALL IMMEDIATE')
        checked = true
      }
      await query('RELEASE SAVEPOINT evenkeel_rows')
      return changed
    } catch (error) {
      // Where the whole transaction is gone (SQLite's RAISE(ROLLBACK)), the savepoint is gone with it.
      if (error instanceof TransactionRolledBackError || !isRowsOwnFailure(error)) throw error
      await query('ROLLBACK TO SAVEPOINT evenkeel_rows')
      await query('RELEASE SAVEPOINT evenkeel_rows')
      const [only, ...others] = part
      if (only === undefined) throw error
      if (others.length === 0) {
        onFailure({ key: only.key, error })
        return 0
      }
      const middle = Math.ceil(part.length / 2)
      const before = await writeSplitting(part.slice(0, middle))
      return before + (await writeSplitting(part.slice(middle)))
    }
  }
  // Rows are sent as arrays, and their own values may be some. It lasts until COMMIT.
  if (!arrayNulls) await query('SET LOCAL array_nulls = on')
  return writeSplitting(rows)
}
