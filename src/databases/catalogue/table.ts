import { SchemaMismatchError } from '../../errors.js'
import { closest } from '../../options.js'
import { quoteTable, tableLabel, type TableName } from '../identifier.js'
import { describePostgresTable, postgresTableNames } from './postgres-table.js'
import { describeSqliteTable, sqliteTableNames } from './sqlite-table.js'
import type { CatalogueReader, TableColumn, TableDescription } from './table-description.js'

export type * from './table-description.js'

/**
 * Reads what the catalogue knows about a table or view: columns, keys, estimated rows.
 *
 * @throws SchemaMismatchError when there is no such table, with the name that was probably meant
 */
export async function describeTable(reader: CatalogueReader, table: TableName): Promise<TableDescription> {
  quoteTable(table, reader.dialect)
  const postgres = reader.dialect === 'postgres'
  const found = await (postgres ? describePostgresTable(reader.query, table) : describeSqliteTable(reader.query, table))
  if (found !== null) return found
  const names = await (postgres ? postgresTableNames(reader.query, table) : sqliteTableNames(reader.query, table))
  const meant = closest(typeof table === 'string' ? table : table.name, names)
  throw new SchemaMismatchError(
    `table ${tableLabel(table)}`,
    meant === undefined ? 'it does not exist' : `it does not exist; did you mean "${meant}"?`,
    'Create the table first, or correct the name; names are taken exactly as written, and a table of another schema ' +
      'is { schema, name }.',
    { missing: true },
  )
}

/**
 * The columns of these names, in the same order. `option` says where the names come from, for the message.
 *
 * @throws SchemaMismatchError naming the columns that the table doesn't have
 */
export function requireColumns(
  table: TableDescription,
  names: readonly string[],
  option: string,
): readonly TableColumn[] {
  const byName = new Map(table.columns.map((column) => [column.name, column]))
  const missing = names.filter((name) => !byName.has(name))
  if (missing.length > 0) {
    const known = [...byName.keys()]
    const reasons = missing.map((name) => {
      const meant = closest(name, known)
      return `there is no column "${name}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`
    })
    throw new SchemaMismatchError(
      `table ${table.name} (${option})`,
      reasons.join('; '),
      `Add the column first, or correct the name; names are taken exactly as written. The table has: ${known.join(', ')}.`,
      { missing: true },
    )
  }
  return names.map((name) => byName.get(name) as TableColumn)
}
