import {
  kindWords,
  type TableColumn,
  type TableDescription,
  type UniqueKey,
} from '../databases/catalogue/table-description.js'
import type { Dialect } from '../databases/database.js'
import { quoteColumns, quoteIdentifier } from '../databases/identifier.js'
import { SchemaMismatchError } from '../errors.js'
import { closest } from '../options.js'

/** One column of the key that a walk goes along. */
export interface KeyColumn {
  readonly name: string
  /** Quoted. */
  readonly identifier: string
  /** ` COLLATE …` where the index orders by another collation than the column, else ''. */
  readonly collate: string
  /** Turns a parameter that holds an encoded value into the column's type: `::text::bigint`, or '' on SQLite. */
  readonly cast: string
  /** What the value's exact text is read with, on PostgreSQL. */
  readonly reading: 'text' | 'json' | 'value'
  /** Only whole numbers can be in it, so a key's position between two others can be told. */
  readonly integer: boolean
}

/** Columns whose tuple tells every row of the table apart, in the order of their index. */
export interface WalkKey {
  readonly dialect: Dialect
  readonly columns: readonly KeyColumn[]
}

// Their text depends on the session's DateStyle, but in JSON it is always ISO 8601 with all its digits.
const READ_AS_JSON = new Set(['timestamp', 'timestamptz', 'date'])

const POSTGRES_INTEGERS = new Set(['int2', 'int4', 'int8'])

/**
 * Chooses the key to walk `table` by: the columns of `wanted`, else the primary key, else the only other unique key
 * without NULLs. That it is unique is proved from the catalogue.
 *
 * @throws SchemaMismatchError when it isn't, with the constraint to add
 */
export function chooseKey(table: TableDescription, wanted?: readonly string[]): WalkKey {
  if (table.kind !== 'table' && table.kind !== 'partitioned table') {
    throw mismatch(
      table,
      `it is ${kindWords(table)}, which can't be walked by a unique key`,
      'Name the table that holds the rows.',
    )
  }
  if (table.inherited) {
    throw mismatch(
      table,
      'other tables inherit from it, and no unique key spans them all',
      'Run one update for each of the tables, or make it a partitioned table.',
    )
  }
  const key = wanted === undefined ? defaultKey(table) : provedKey(table, wanted)
  return {
    dialect: table.dialect,
    columns: key.columns.map((name, index) => keyColumn(table, name, key.collations[index] ?? null)),
  }
}

function keyColumn(table: TableDescription, name: string, collation: string | null): KeyColumn {
  const column = columnOf(table, name)
  const postgres = table.dialect === 'postgres'
  return {
    name,
    identifier: quoteIdentifier(name, table.dialect),
    collate: collation === null ? '' : ` COLLATE ${collation}`,
    // Through text, whatever the driver would make of a parameter of the column's own type.
    cast: postgres ? `::text::${column.castType}` : '',
    reading: postgres ? (READ_AS_JSON.has(column.typeName) ? 'json' : 'text') : 'value',
    integer: postgres ? POSTGRES_INTEGERS.has(column.typeName) : /INT/i.test(column.typeName),
  }
}

function columnOf(table: TableDescription, name: string): TableColumn {
  const found = table.columns.find((column) => column.name === name)
  if (found !== undefined) return found
  const known = table.columns.map((column) => column.name)
  const meant = closest(name, known)
  throw mismatch(
    table,
    `there is no column "${name}" for the key${meant === undefined ? '' : `; did you mean "${meant}"?`}`,
    `Correct the option key. The table has: ${known.join(', ')}.`,
  )
}

function usable(key: UniqueKey): boolean {
  return key.notNull && key.ordered
}

function defaultKey(table: TableDescription): UniqueKey {
  if (table.primaryKey !== null) {
    if (usable(table.primaryKey)) return table.primaryKey
    return provedKey(table, table.primaryKey.columns)
  }
  const candidates = table.uniqueKeys.filter(usable)
  const [only, ...others] = candidates
  if (only !== undefined && others.length === 0) return only
  throw mismatch(
    table,
    only === undefined
      ? 'it has neither a PRIMARY KEY to walk by nor a UNIQUE constraint on NOT NULL columns'
      : 'it has no PRIMARY KEY to walk by, and more than one other unique key',
    only === undefined
      ? 'Add a PRIMARY KEY, or a UNIQUE constraint on columns that are NOT NULL, and name them in the option key.'
      : `Name the columns in the option key: ${candidates.map((key) => `[${key.columns.join(', ')}]`).join(' or ')}.`,
  )
}

function provedKey(table: TableDescription, wanted: readonly string[]): UniqueKey {
  for (const name of wanted) columnOf(table, name)
  const sameColumns = table.uniqueKeys.filter(
    (key) => key.columns.length === wanted.length && key.columns.every((name) => wanted.includes(name)),
  )
  // In the order that was asked for, when there is an index for it; otherwise the index's order is as good.
  const exact = sameColumns.find((key) => usable(key) && key.columns.every((name, index) => name === wanted[index]))
  const found = exact ?? sameColumns.find(usable)
  if (found !== undefined) return found
  throw unproved(table, wanted, sameColumns)
}

function unproved(
  table: TableDescription,
  wanted: readonly string[],
  unique: readonly UniqueKey[],
): SchemaMismatchError {
  const label = `(${wanted.join(', ')})`
  const nullable = wanted.filter((name) => !columnOf(table, name).notNull)
  if (unique.length > 0 && nullable.length > 0) {
    return mismatch(
      table,
      `the key ${label} may hold NULL in ${nullable.join(', ')}, so rows would be missed: it needs NOT NULL there`,
      table.dialect === 'postgres'
        ? nullable
            .map((name) => `ALTER TABLE … ALTER COLUMN ${quoteIdentifier(name, 'postgres')} SET NOT NULL`)
            .join('; ')
        : `Declare ${nullable.join(', ')} NOT NULL: in SQLite a PRIMARY KEY alone allows NULL, but for INTEGER PRIMARY KEY and WITHOUT ROWID.`,
    )
  }
  if (unique.length > 0) {
    return mismatch(
      table,
      `the unique index on ${label} is of another order or collation than the columns themselves, or keeps none`,
      `Add a unique index without operator class and collation: CREATE UNIQUE INDEX … (${quoteColumns(wanted, table.dialect)}).`,
    )
  }
  return mismatch(
    table,
    `nothing proves that the key ${label} is unique: it needs UNIQUE (${quoteColumns(wanted, table.dialect)})${
      nullable.length > 0 ? ` and NOT NULL on ${nullable.join(', ')}` : ''
    } (an index that is partial, on expressions, invalid or deferrable proves nothing)`,
    `Add UNIQUE (${quoteColumns(wanted, table.dialect)})${nullable.length > 0 ? ` and NOT NULL on ${nullable.join(', ')}` : ''}, or choose another key.`,
  )
}

function mismatch(table: TableDescription, reason: string, hint: string): SchemaMismatchError {
  return new SchemaMismatchError(`table ${table.schema}.${table.name}`, reason, hint)
}
