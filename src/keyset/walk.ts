import type { TableDescription } from '../databases/catalogue/table-description.js'
import type { Query, Statement } from '../databases/database.js'
import { quoteIdentifier, quoteTable } from '../databases/identifier.js'
import { SchemaMismatchError } from '../errors.js'
import { sameKey, type EncodedKey } from './encoding.js'
import { chooseKey, type WalkKey } from './key.js'
import { orderStamp, orderStampSql, StalePlanError } from './order-stamp.js'
import {
  compareKey,
  compareKeyLiterally,
  keyEquals,
  keyOrder,
  keyParameters,
  keySelection,
  type SqlPart,
} from './range.js'
import { readKey } from './row-key.js'

/** A table, and the unique key that its rows are walked by. */
export interface WalkPlan {
  readonly table: TableDescription
  /** Quoted, with its schema. */
  readonly tableSql: string
  readonly key: WalkKey
  /** What the order of the walk hangs on: as it was when the plan was made, and how to ask for it now. */
  readonly order: { readonly stamp: string; readonly stampSql: string }
}

/** Where a walk is. All of it is JSON, to be kept in the progress. */
export interface WalkPosition {
  /** Key of the first row when the walk began. */
  readonly first: EncodedKey
  /** The last key that is done; null before the first batch. */
  readonly lower: EncodedKey | null
  /** Key of the last row when the walk began; null follows the rows that are added. */
  readonly end: EncodedKey | null
}

/** The rows of one batch: those with a key in `(lower, upper]`. */
export interface KeyRange extends KeySlice {
  /** Nothing is left behind it. */
  readonly last: boolean
  /** The same rows in one piece, or in pieces of the size that was asked for, in their order. */
  readonly slices: readonly KeySlice[]
  /** No row, in the same words. */
  readonly nothing: KeySlice
}

/** The rows of one statement. */
export interface KeySlice {
  readonly upper: EncodedKey
  /** How many rows are in it. */
  readonly rows: number
  /**
   * The predicate, with as many placeholders as `values`, numbered from `firstParameter` (default 1). The columns are
   * bare, or qualified with `alias`.
   */
  predicate(options?: { readonly alias?: string; readonly firstParameter?: number }): SqlPart
  /** The same predicate with its bounds as literals instead of placeholders. */
  literalPredicate(alias?: string): string
}

/**
 * Plans a walk over `table` by `key`.
 *
 * @throws SchemaMismatchError when the key isn't proved to be unique, or a policy may hide rows
 */
export function planWalk(table: TableDescription, key?: readonly string[]): WalkPlan {
  if (table.hidingFrom !== null) throw hiding(table, table.hidingFrom)
  const tableSql = quoteTable({ schema: table.schema, name: table.name }, table.dialect)
  const chosen = chooseKey(table, key)
  const order = { stamp: orderStamp(table, chosen), stampSql: orderStampSql(table, chosen, tableSql) }
  return { table, tableSql, key: chosen, order }
}

/**
 * The first and the last key of the table now; null when it is empty.
 *
 * @throws SchemaMismatchError for a key that can't be read back: rows beside it would be left out
 */
export async function walkBounds(
  query: Query,
  plan: WalkPlan,
): Promise<{ readonly first: EncodedKey; readonly end: EncodedKey } | null> {
  const { tableSql, key } = plan
  const { rows } = await query(`
    SELECT *
    FROM (
      SELECT ${keySelection(key, FIRST)}
      FROM ${tableSql}
      ORDER BY ${keyOrder(key)}
      LIMIT 1
    ) AS first_row
    CROSS JOIN (
      SELECT ${keySelection(key, LAST)}
      FROM ${tableSql}
      ORDER BY ${keyOrder(key, 'DESC')}
      LIMIT 1
    ) AS last_row`)
  const [row] = rows
  if (row === undefined) return null
  const bounds = { first: readKey(key, row, FIRST), end: readKey(key, row, LAST) }
  await refuseInexact(query, plan, bounds.first)
  await refuseInexact(query, plan, bounds.end)
  return bounds
}

// What isn't valid in the encoding comes from the driver as U+FFFD, which has another place in the order. The real one
// can be told by a row that has it.
async function refuseInexact(query: Query, plan: WalkPlan, bound: EncodedKey): Promise<void> {
  if (!bound.some((value) => typeof value === 'string' && value.includes('\uFFFD'))) return
  const { rows } = await query(
    `SELECT 1 AS found
     FROM ${plan.tableSql}
     WHERE ${keyEquals(plan.key, (column, index) => `$${index + 1}${column.cast}`)}`,
    keyParameters(plan.key, bound),
  )
  if (rows.length === 0) throw inexact(plan, bound, 'rows would be left out')
}

/**
 * The range of the next `size` rows behind `position`, fewer at the end, in slices of `every` rows. Null when a walk
 * without an end finds nothing more. Two statements at most, the second only at the end; neither reads more than `size`
 * index entries.
 *
 * @throws StalePlanError when the keys are of another type or collation than they were when the plan was made, or a
 * policy hides rows since: a statement that still runs would leave rows out
 */
export async function nextRange(
  query: Query,
  plan: WalkPlan,
  position: WalkPosition,
  size: number,
  every = size,
): Promise<KeyRange | null> {
  const { text, values } = boundStatement(plan, position, size, every)
  const { rows } = await query<BoundRow>(text, values)
  refuseStale(plan, rows[0])
  const bounds = rows.map((row) => ({ upper: readKey(plan.key, row, LAST), at: row.evenkeel_row ?? size }))
  const [first] = bounds
  if (first !== undefined && position.lower !== null && sameKey(first.upper, position.lower)) {
    throw inexact(plan, first.upper, "the walk doesn't move")
  }
  const found = bounds.at(-1)
  if (found?.at === size) {
    const last = position.end !== null && sameKey(found.upper, position.end)
    return range(plan.key, position, bounds, last)
  }
  const end = await tail(query, plan, position)
  if (end === null) return null
  // Rows may have gone since the bounds were read.
  return range(plan.key, position, [...bounds.filter(({ at }) => at < end.at), end], true)
}

/** The statement that `nextRange` asks first: the key of the `size`-th row behind `position`, and each `every`-th one. */
export function boundStatement(plan: WalkPlan, position: WalkPosition, size: number, every = size): Statement {
  const rest = restOfWalk(plan.key, position)
  const next = rest.values.length + 1
  if (every >= size) {
    const text = `
    SELECT ${keySelection(plan.key, LAST)}, ${plan.order.stampSql} AS evenkeel_order
    FROM ${plan.tableSql}
    WHERE ${rest.sql}
    ORDER BY ${keyOrder(plan.key)}
    LIMIT 1
    OFFSET $${next}`
    return { text, values: [...rest.values, size - 1] }
  }
  const rowNumber = `row_number() OVER (ORDER BY ${keyOrder(plan.key)})`
  const text = `
    SELECT ${keySelection(plan.key, LAST)}, evenkeel_row, ${plan.order.stampSql} AS evenkeel_order
    FROM (
      SELECT
        ${plan.key.columns.map(({ identifier }) => identifier).join(', ')},
        ${plan.key.dialect === 'postgres' ? `(${rowNumber})::int` : rowNumber} AS evenkeel_row
      FROM ${plan.tableSql}
      WHERE ${rest.sql}
      ORDER BY ${keyOrder(plan.key)}
      LIMIT $${next}
    ) AS next_rows
    WHERE evenkeel_row % $${next + 1} = 0 OR evenkeel_row = $${next + 2}
    ORDER BY evenkeel_row`
  return { text, values: [...rest.values, size, every, size] }
}

// Of the keys as the queries return them; no column of a user is called so.
const FIRST = 'evenkeel_first_'
const LAST = 'evenkeel_last_'

type BoundRow = Stamped & { readonly evenkeel_row?: number }

type Stamped = Readonly<Record<string, unknown>> & { readonly evenkeel_order: string | null }

function refuseStale({ table, order }: WalkPlan, row: Stamped | undefined): void {
  if (row !== undefined && row.evenkeel_order !== order.stamp) throw new StalePlanError(table)
}

/** A key, and how many rows there are from the position up to it. */
interface Bound {
  readonly upper: EncodedKey
  readonly at: number
}

// Fewer rows than a batch are left: the fixed end is the bound, whether its row still exists or not. That there are none
// is believed only of an order that is still the same, so there is always an answer.
async function tail(query: Query, plan: WalkPlan, position: WalkPosition): Promise<Bound | null> {
  const rest = restOfWalk(plan.key, position)
  const rowCount = plan.key.dialect === 'postgres' ? '(count(*) OVER ())::int' : 'count(*) OVER ()'
  const { rows } = await query<Stamped & { evenkeel_rows: number | null }>(
    `
    SELECT ${plan.order.stampSql} AS evenkeel_order, last_row.*
    FROM (SELECT 1) AS one
    LEFT JOIN (
      SELECT ${rowCount} AS evenkeel_rows, ${keySelection(plan.key, LAST)}
      FROM ${plan.tableSql}
      WHERE ${rest.sql}
      ORDER BY ${keyOrder(plan.key, 'DESC')}
      LIMIT 1
    ) AS last_row ON TRUE`,
    rest.values,
  )
  const [row] = rows
  refuseStale(plan, row)
  const found = row === undefined || row.evenkeel_rows === null ? null : { row, at: row.evenkeel_rows }
  const upper = position.end ?? (found === null ? null : readKey(plan.key, found.row, LAST))
  return upper === null ? null : { upper, at: found?.at ?? 0 }
}

function range(key: WalkKey, position: WalkPosition, bounds: readonly Bound[], last: boolean): KeyRange {
  const slices = bounds.map(({ upper, at }, index) => {
    const before = bounds[index - 1]
    return before === undefined
      ? slice(key, position, upper, at)
      : slice(key, { ...position, lower: before.upper }, upper, at - before.at)
  })
  const end = bounds.at(-1) ?? { upper: position.first, at: 0 }
  const nothing = slice(key, { ...position, lower: end.upper }, end.upper, 0)
  return { ...slice(key, position, end.upper, end.at), last, slices, nothing }
}

function slice(key: WalkKey, position: WalkPosition, upper: EncodedKey, rows: number): KeySlice {
  return {
    upper,
    rows,
    predicate: ({ alias, firstParameter = 1 } = {}) => {
      const from = lowerBound(key, position, firstParameter, alias)
      const to = compareKey(key, '<=', upper, firstParameter + from.values.length, alias)
      return { sql: `${from.sql} AND ${to.sql}`, values: [...from.values, ...to.values] }
    },
    literalPredicate(alias) {
      const from =
        position.lower === null
          ? compareKeyLiterally(key, '>=', position.first, alias)
          : compareKeyLiterally(key, '>', position.lower, alias)
      return `${from} AND ${compareKeyLiterally(key, '<=', upper, alias)}`
    },
  }
}

function restOfWalk(key: WalkKey, position: WalkPosition): SqlPart {
  const from = lowerBound(key, position, 1)
  if (position.end === null) return from
  const to = compareKey(key, '<=', position.end, 1 + from.values.length)
  return { sql: `${from.sql} AND ${to.sql}`, values: [...from.values, ...to.values] }
}

// The first row itself belongs to the first batch. So every range has the same number of placeholders.
function lowerBound(key: WalkKey, { first, lower }: WalkPosition, firstParameter: number, alias?: string): SqlPart {
  return lower === null
    ? compareKey(key, '>=', first, firstParameter, alias)
    : compareKey(key, '>', lower, firstParameter, alias)
}

// What is hidden can't be told from what isn't there: the walk would end, and say that all is done.
function hiding(table: TableDescription, role: string): SchemaMismatchError {
  const [tableSql, roleSql] = [quoteTable(table, 'postgres'), quoteIdentifier(role, 'postgres')]
  return new SchemaMismatchError(
    `table ${table.schema}.${table.name}`,
    `row-level security may hide rows of it from the role "${role}", and they would be left out without a word`,
    "Connect as the table's owner, or as a role that sees all rows: ALTER ROLE " +
      `${roleSql} BYPASSRLS. If the role is the owner: ALTER TABLE ${tableSql} NO FORCE ROW LEVEL SECURITY.`,
  )
}

function inexact({ table }: WalkPlan, at: EncodedKey, consequence: string): SchemaMismatchError {
  return new SchemaMismatchError(
    `table ${table.schema}.${table.name}`,
    `the key ${JSON.stringify(at)} can't be read back exactly, so ${consequence}`,
    'Walk by another key. Keys of text must be valid in the encoding of the database.',
  )
}
