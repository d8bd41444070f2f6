import type { Dialect, Query } from '../../databases/database.js'
import { quoteIdentifier } from '../../databases/identifier.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import { keyEquals, keyOrder, keyParameters, keySelection } from '../../keyset/range.js'
import { readKey } from '../../keyset/row-key.js'
import type { KeyRange, WalkPlan } from '../../keyset/walk.js'
import { narrowed } from '../walk/sql.js'
import type { WriteConditions } from './conditions.js'

/** A row as `map` gets it, and its exact key beside. */
export interface KeyedRow {
  readonly key: EncodedKey
  readonly row: Readonly<Record<string, unknown>>
}

/** What to read of a table, and what it is written under. */
export interface RowSelection extends WriteConditions {
  readonly plan: WalkPlan
  readonly columns: readonly string[]
  readonly where: string | undefined
}

const KEY = 'evenkeel_key_'
// By names of our own: a driver's row has no room for a column `__proto__`, and ours must not meet the table's.
const COLUMN = 'evenkeel_column_'

/** The rows of a range, in the order of the walk, locked until the batch is committed. */
export async function readRange(query: Query, selection: RowSelection, range: KeyRange): Promise<KeyedRow[]> {
  const { sql, values } = range.predicate()
  const { rows } = await query(
    `${selectRows(selection)}
    WHERE ${narrowed(sql, selection.where)}
    ORDER BY ${keyOrder(selection.plan.key)}
    ${rowLock(selection.plan.key.dialect)}`,
    values,
  )
  return rows.map((row) => keyedRow(selection, row))
}

/** The row of a key, locked; null when it is gone or `where` doesn't hold any more. */
export async function readRow(query: Query, selection: RowSelection, key: EncodedKey): Promise<KeyedRow | null> {
  const { plan, where } = selection
  const predicate = keyEquals(plan.key, (column, index) => `$${index + 1}${column.cast}`)
  const { rows } = await query(
    `${selectRows(selection)}
    WHERE ${narrowed(predicate, where)}
    ${rowLock(plan.key.dialect)}`,
    keyParameters(plan.key, key),
  )
  const [row] = rows
  return row === undefined ? null : keyedRow(selection, row)
}

function selectRows({ plan, columns }: RowSelection): string {
  const selected = columns.map(
    (column, index) => `${quoteIdentifier(column, plan.key.dialect)} AS ${COLUMN}${index + 1}`,
  )
  return `
    SELECT ${keySelection(plan.key, KEY)}, ${selected.join(', ')}
    FROM ${plan.tableSql}`
}

// Nobody may change what `map` has seen before it is written. NO KEY: rows that refer to these may still be inserted.
function rowLock(dialect: Dialect): string {
  return dialect === 'postgres' ? 'FOR NO KEY UPDATE' : ''
}

function keyedRow({ plan, columns }: RowSelection, selected: Record<string, unknown>): KeyedRow {
  return {
    key: readKey(plan.key, selected, KEY),
    row: Object.fromEntries(columns.map((column, index) => [column, selected[`${COLUMN}${index + 1}`]])),
  }
}
