import type { TableColumn, TableDescription } from '../../../databases/catalogue/table.js'
import type { Query } from '../../../databases/database.js'
import { quoteColumns, quoteIdentifier } from '../../../databases/identifier.js'
import { NotRebuildableError } from './errors.js'
import { foldName, sameName } from './tokens.js'

/**
 * Copies all rows by the names of the columns, whatever their order, in SQL alone. Generated columns generate
 * themselves. The rowid is copied, too: it may be kept elsewhere, by a full-text index for instance.
 *
 * @throws NotRebuildableError when a column's values would be lost, or rows
 */
export async function copyRows(query: Query, from: TableDescription, to: TableDescription): Promise<void> {
  const target = stored(to)
  for (const column of stored(from)) {
    if (findByName(target, column.name) !== undefined) continue
    throw new NotRebuildableError(
      from.name,
      `column "${column.name}" is missing or generated in the new table, so its values would be lost`,
      'Give it a place in `newTableSql`, or drop the column first if that is what you want.',
    )
  }
  const pairs = target.flatMap((column) => {
    const source = findByName(from.columns, column.name)
    return source === undefined ? [] : [{ source: source.name, target: column.name }]
  })
  const rowid = rowidName(from, to)
  const sources = [...(rowid === null ? [] : [rowid]), ...pairs.map((pair) => pair.source)]
  const targets = [...(rowid === null ? [] : [rowid]), ...pairs.map((pair) => pair.target)]
  // OR ABORT: an `ON CONFLICT IGNORE` or `REPLACE` of the table itself would drop rows without a word.
  await query(
    `INSERT OR ABORT INTO main.${quote(to.name)} (${quoteColumns(targets, 'sqlite')})
     SELECT ${quoteColumns(sources, 'sqlite')}
     FROM main.${quote(from.name)}`,
  )
  const lost = await rowsMissing(query, from.name, to.name)
  if (lost !== 0) {
    throw new NotRebuildableError(
      from.name,
      `${lost} rows were not copied`,
      'This is an error of Evenkeel: please report it.',
    )
  }
}

/** Columns that hold a value of their own. */
export function stored(table: TableDescription): readonly TableColumn[] {
  return table.columns.filter((column) => column.generated === null)
}

export function findByName(columns: readonly TableColumn[], name: string): TableColumn | undefined {
  return columns.find((column) => sameName(column.name, name))
}

/** A name for the rowid that no column hides; null where there is none, or where a column of the key is the rowid. */
export function rowidName(...tables: readonly TableDescription[]): string | null {
  const plain = tables.every((table) => !table.withoutRowid && !table.uniqueKeys.some((key) => key.index === null))
  if (!plain) return null
  const taken = new Set(tables.flatMap((table) => table.columns.map((column) => foldName(column.name))))
  return ['rowid', '_rowid_', 'oid'].find((name) => !taken.has(name)) ?? null
}

async function rowsMissing(query: Query, from: string, to: string): Promise<number> {
  const { rows } = await query<{ missing: number }>(
    `SELECT (SELECT count(*) FROM main.${quote(from)}) - (SELECT count(*) FROM main.${quote(to)}) AS missing`,
  )
  return rows[0]?.missing ?? 0
}

function quote(name: string): string {
  return quoteIdentifier(name, 'sqlite')
}
