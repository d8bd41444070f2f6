import { describe } from '../../options.js'
import type { WalkPlan } from '../../keyset/walk.js'
import { checkWritableColumns } from '../walk/check-columns.js'
import { asRead, type AsRead } from './as-read.js'
import { MapResultError, type RowFailure } from './failures.js'
import type { RowBackfillOptions, RowChange, RowContext } from './options.js'
import type { KeyedRow } from './read-rows.js'

/** A row and the columns to write. */
export interface ChangedRow {
  readonly key: KeyedRow['key']
  /** All that `map` returned, sorted. */
  readonly columns: readonly string[]
  /** Those of them that aren't what was read. At least one. */
  readonly change: Readonly<Record<string, unknown>>
}

interface ReadRow {
  readonly row: KeyedRow
  readonly isAsRead: AsRead
}

/** Calls `map` or `mapBatch`; rows that throw are handed to `onFailure`, rows without a change are left out. */
export async function mapRows<Row extends object>(
  options: RowBackfillOptions<Row>,
  plan: WalkPlan,
  keyedRows: readonly KeyedRow[],
  context: RowContext,
  onFailure: (failure: RowFailure) => void,
): Promise<ChangedRow[]> {
  const { map, mapBatch } = options
  const rows = keyedRows.map((row): ReadRow => ({ row, isAsRead: asRead(plan.table, row.row) }))
  const mapped: { readonly read: ReadRow; readonly change: RowChange }[] = []
  const mapAll = async (part: readonly ReadRow[]): Promise<void> => {
    try {
      if (map !== undefined) {
        for (const read of part) mapped.push({ read, change: await map(read.row.row as Row, context) })
      } else if (mapBatch !== undefined) {
        const changes = await mapBatch(
          part.map(({ row }) => row.row as Row),
          context,
        )
        mapped.push(...paired(context.update.name, part, changes))
      }
    } catch (error) {
      context.signal.throwIfAborted()
      if (error instanceof MapResultError) throw error
      const [only, ...others] = part
      if (only === undefined) return
      if (others.length === 0) return onFailure({ key: only.row.key, error })
      const middle = Math.ceil(part.length / 2)
      await mapAll(part.slice(0, middle))
      await mapAll(part.slice(middle))
    }
  }
  // `map` is told row by row anyway, so the one that throws is known at once.
  for (const part of map === undefined ? [rows] : rows.map((row) => [row])) {
    if (part.length > 0) await mapAll(part)
  }
  return mapped.flatMap(({ read, change }) => changedRow(context.update.name, read, change))
}

function paired(updateName: string, rows: readonly ReadRow[], changes: unknown) {
  if (!Array.isArray(changes) || changes.length !== rows.length) {
    const found = Array.isArray(changes) ? `${changes.length} entries` : describe(changes)
    throw new MapResultError(updateName, `mapBatch returned ${found} for ${rows.length} rows`)
  }
  return rows.map((read, index) => ({ read, change: changes[index] as RowChange }))
}

function changedRow(updateName: string, { row, isAsRead }: ReadRow, change: unknown): ChangedRow[] {
  if (change === undefined || change === null) return []
  if (typeof change !== 'object' || Array.isArray(change)) {
    throw new MapResultError(updateName, `map returned ${describe(change)} for a row`)
  }
  const returned = Object.entries(change).filter(([, value]) => value !== undefined)
  // `{ ...row, more }` returns what was read, too.
  const written = returned.filter(([name, value]) => !isAsRead(name, value))
  if (written.length === 0) return []
  const columns = returned.map(([name]) => name).sort()
  return [{ key: row.key, columns, change: Object.fromEntries(written) }]
}

/**
 * Rows by the set of columns that their statement writes, each set checked against the table. On PostgreSQL that are all
 * rows for which `map` returned the same columns, so that a column which only some of them change costs no statement
 * more; SQLite has a statement for each row anyway.
 */
export function groupByColumns(plan: WalkPlan, rows: readonly ChangedRow[]): Map<readonly string[], ChangedRow[]> {
  const groups = new Map<string, ChangedRow[]>()
  for (const row of rows) {
    const name = JSON.stringify(plan.key.dialect === 'postgres' ? row.columns : Object.keys(row.change).sort())
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  return new Map(
    Array.from(groups.values(), (group) => {
      const columns = [...new Set(group.flatMap(({ change }) => Object.keys(change)))].sort()
      checkWritableColumns(plan, columns, 'map')
      return [columns, group]
    }),
  )
}
