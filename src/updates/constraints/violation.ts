import type { Dialect } from '../../databases/database.js'
import { quoteIdentifier, quoteTable, type TableName } from '../../databases/identifier.js'
import { isNullSql } from '../../databases/null-test.js'
import type { Constraint, ForeignKeyConstraint, UniqueConstraint } from './constraint.js'
import { parenthesized } from './constraint-sql.js'
import { comparedByKey, type KeyComparisons } from './key-comparisons.js'

/** Where a violation predicate stands. */
export interface PredicatePlace {
  readonly dialect: Dialect
  /** The name by which the statement calls the row that is looked at: an alias, or the table's own name; unquoted. */
  readonly row: string
  /** The table that has the constraint. */
  readonly table: TableName
  /** Columns that tell every row apart; for `unique` alone, which needs to know the first of several rows. */
  readonly key?: readonly string[]
  /** How the foreign key compares; without it by SQL's `=`. PostgreSQL only. */
  readonly comparisons?: KeyComparisons
}

/**
 * SQL that is true for the rows that violate a constraint and false or NULL for all others.
 *
 * - foreign key: all own columns have a value, and no row of the parent has these values (MATCH SIMPLE)
 * - check: the expression is false; NULL is no violation. Its columns can't be qualified, so the table must not be
 *   joined, and must stand under its own name if the expression uses it
 * - unique: another row with the same values has a lower key; a row with a NULL in it is no duplicate
 */
export function violationPredicate(constraint: Constraint, place: PredicatePlace): string {
  const row = quoteIdentifier(place.row, place.dialect)
  switch (constraint.kind) {
    case 'foreignKey':
      return orphanPredicate(constraint, row, place)
    case 'notNull':
      return isNullSql(`${row}.${quoteIdentifier(constraint.column, place.dialect)}`, place.dialect)
    case 'check':
      return `(${parenthesized(constraint.expression)} IS FALSE)`
    case 'unique':
      return duplicatePredicate(constraint, row, place)
  }
}

/** The columns that a repair by `onViolation: 'null'` sets to NULL, or the reason why there are none. */
export function repairColumns(constraint: Constraint): readonly string[] | string {
  switch (constraint.kind) {
    case 'foreignKey':
      return constraint.columns.map((pair) => pair.own)
    case 'notNull':
      return 'a NULL is what violates it'
    case 'check':
      return constraint.columns ?? "it doesn't say which columns to set to NULL: check('…', { columns: [...] })"
    case 'unique':
      return constraint.columns
  }
}

/** `earlier."a" = row."a" AND …`, for a statement that joins the rows which are equal in the unique columns. */
export function sameValues(constraint: UniqueConstraint, one: string, other: string, dialect: Dialect): string {
  return constraint.columns
    .map((name) => quoteIdentifier(name, dialect))
    .map((column) => `${one}.${column} = ${other}.${column}`)
    .join(' AND ')
}

/** `(earlier."id") < (row."id")`. */
export function lowerKey(key: readonly string[], one: string, other: string, dialect: Dialect): string {
  const tuple = (row: string) => `(${key.map((name) => `${row}.${quoteIdentifier(name, dialect)}`).join(', ')})`
  return `${tuple(one)} < ${tuple(other)}`
}

function orphanPredicate(constraint: ForeignKeyConstraint, row: string, place: PredicatePlace): string {
  const { dialect } = place
  const references = constraint.references
  const parentTable = dialect === 'sqlite' && typeof references !== 'string' ? references.name : references
  // Every column is qualified: `id` alone would be the parent's, whatever was meant.
  const parent = quoteIdentifier(otherName('evenkeel_parent', place.row), dialect)
  const pairs = constraint.columns.map((pair) => ({
    comparison: place.comparisons?.get(pair.own),
    own: `${row}.${quoteIdentifier(pair.own, dialect)}`,
    parent: `${parent}.${quoteIdentifier(pair.parent, dialect)}`,
  }))
  // SQLite compares under the affinity of the parent's column alone: the plus takes away that of the own one.
  const matches = pairs.map((pair) =>
    pair.comparison === undefined
      ? `${pair.parent} = ${dialect === 'sqlite' ? '+' : ''}${pair.own}`
      : comparedByKey(pair.comparison, pair.parent, pair.own),
  )
  return `(${pairs.map((pair) => `${pair.own} IS NOT NULL`).join(' AND ')}
    AND NOT EXISTS (
      SELECT 1
      FROM ${quoteTable(parentTable, dialect)} AS ${parent}
      WHERE ${matches.join(' AND ')}
    ))`
}

function duplicatePredicate(constraint: UniqueConstraint, row: string, place: PredicatePlace): string {
  const { dialect, table, key } = place
  if (key === undefined || key.length === 0) throw new TypeError('the first of equal rows is found by a key')
  const earlier = quoteIdentifier(otherName('evenkeel_earlier', place.row), dialect)
  return `EXISTS (
      SELECT 1
      FROM ${quoteTable(table, dialect)} AS ${earlier}
      WHERE ${sameValues(constraint, earlier, row, dialect)}
        AND ${lowerKey(key, earlier, row, dialect)}
    )`
}

// The outer row must stay visible inside.
function otherName(name: string, taken: string): string {
  return name.toLowerCase() === taken.toLowerCase() ? `${name}_row` : name
}
