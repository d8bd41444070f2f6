import { describe } from '../../options.js'
import type { WalkPlan } from '../../keyset/walk.js'
import { checkWritableColumns } from '../walk/check-columns.js'
import { MapResultError, type RowFailure } from './failures.js'
import type { RowBackfillOptions, RowChange, RowContext } from './options.js'
import type { KeyedRow } from './read-rows.js'

/** A row and the columns to write. */
export interface ChangedRow {
  readonly key: KeyedRow['key']
  readonly change: Readonly<Record<string, unknown>>
}

/** Calls `map` or `mapBatch`; rows that throw are handed to `onFailure`, rows without a change are left out. */
export async function mapRows<Row extends object>(
  options: RowBackfillOptions<Row>,
  plan: WalkPlan,
  rows: readonly KeyedRow[],
  context: RowContext,
  onFailure: (failure: RowFailure) => void,
): Promise<ChangedRow[]> {
  const { map, mapBatch } = options
  const mapped: { readonly row: KeyedRow; readonly change: RowChange }[] = []
  const mapAll = async (part: readonly KeyedRow[]): Promise<void> => {
    try {
      if (map !== undefined) {
        for (const row of part) mapped.push({ row, change: await map(row.row as Row, context) })
      } else if (mapBatch !== undefined) {
        const changes = await mapBatch(
          part.map(({ row }) => row as Row),
          context,
        )
        mapped.push(...paired(context.update.name, part, changes))
      }
    } catch (error) {
      context.signal.throwIfAborted()
      if (error instanceof MapResultError) throw error
      const [only, ...others] = part
      if (only === undefined) return
      if (others.length === 0) return onFailure({ key: only.key, error })
      const middle = Math.ceil(part.length / 2)
      await mapAll(part.slice(0, middle))
      await mapAll(part.slice(middle))
    }
  }
  // `map` is told row by row anyway, so the one that throws is known at once.
  for (const part of map === undefined ? [rows] : rows.map((row) => [row])) {
    if (part.length > 0) await mapAll(part)
  }
  return mapped.flatMap(({ row, change }) => changedRow(context.update.name, plan, row, change))
}

function paired(updateName: string, rows: readonly KeyedRow[], changes: unknown) {
  if (!Array.isArray(changes) || changes.length !== rows.length) {
    const found = Array.isArray(changes) ? `${changes.length} entries` : describe(changes)
    throw new MapResultError(updateName, `mapBatch returned ${found} for ${rows.length} rows`)
  }
  return rows.map((row, index) => ({ row, change: changes[index] as RowChange }))
}

function changedRow(updateName: string, plan: WalkPlan, { key, row }: KeyedRow, change: unknown): ChangedRow[] {
  if (change === undefined || change === null) return []
  if (typeof change !== 'object' || Array.isArray(change)) {
    throw new MapResultError(updateName, `map returned ${describe(change)} for a row`)
  }
  const columns = Object.entries(change).filter(([, value]) => value !== undefined)
  // `{ ...row, more }` returns what was read, too: as long as it is the same, a key or computed column may be in it.
  const written = columns.filter(
    ([name, value]) => !isFixed(plan, name) || !(name in row) || !Object.is(row[name], value),
  )
  return written.length === 0 ? [] : [{ key, change: Object.fromEntries(written) }]
}

function isFixed({ table, key }: WalkPlan, name: string): boolean {
  const column = table.columns.find((candidate) => candidate.name === name)
  return column?.generated != null || column?.identity === 'always' || key.columns.some((each) => each.name === name)
}

/** Rows by the set of columns that they write, each set checked against the table. */
export function groupByColumns(plan: WalkPlan, rows: readonly ChangedRow[]): Map<readonly string[], ChangedRow[]> {
  const groups = new Map<string, { readonly columns: readonly string[]; readonly rows: ChangedRow[] }>()
  for (const row of rows) {
    const columns = Object.keys(row.change).sort()
    const name = JSON.stringify(columns)
    const group = groups.get(name) ?? { columns, rows: [] }
    if (group.rows.length === 0) checkWritableColumns(plan, columns, 'map')
    group.rows.push(row)
    groups.set(name, group)
  }
  return new Map(Array.from(groups.values(), (group) => [group.columns, group.rows]))
}
