import { describeTable, type TableDescription } from '../../../databases/catalogue/table.js'
import type { Query } from '../../../databases/database.js'
import { type TableName, tableLabel } from '../../../databases/identifier.js'
import { NotRebuildableError } from './errors.js'
import { foldName } from './tokens.js'

/** A table of `main` that a constraint can be added to, with its SQL. */
export interface RebuildableTable {
  readonly description: TableDescription
  /** Its name as the catalogue writes it. */
  readonly name: string
  readonly sql: string
}

/**
 * Finds the table, and refuses what the procedure isn't for.
 *
 * @throws SchemaMismatchError when there is no such table
 * @throws NotRebuildableError for a view, a virtual table, a table of another database, and what SQLite keeps for itself
 */
export async function readRebuildableTable(query: Query, table: TableName): Promise<RebuildableTable> {
  const { schema, name } = typeof table === 'string' ? { schema: undefined, name: table } : table
  const label = tableLabel(table)
  if (schema !== undefined && foldName(schema) !== 'main') {
    throw new NotRebuildableError(
      label,
      `it is in database "${schema}"`,
      'Open that file as the main database of an adapter of its own.',
    )
  }
  if (foldName(name).startsWith('sqlite_')) {
    throw new NotRebuildableError(label, 'SQLite keeps this table for itself', 'Name one of your own tables.')
  }
  const description = await describeTable({ query, dialect: 'sqlite' }, { schema: 'main', name })
  if (description.kind !== 'table') {
    const kind = description.kind === 'other' ? 'a table of a virtual table' : `a ${description.kind}`
    throw new NotRebuildableError(label, `it is ${kind}`, 'Only an ordinary table can have constraints added.')
  }
  const sql = await readTableSql(query, description.name)
  if (sql === null) {
    throw new NotRebuildableError(label, 'the catalogue has no SQL for it', 'Name one of your own tables.')
  }
  await refuseTemporaryNamesakes(query, description.name)
  return { description, name: description.name, sql }
}

/** The SQL of a table of `main`, or null. */
async function readTableSql(query: Query, name: string): Promise<string | null> {
  const { rows } = await query<{ sql: string | null }>(
    `SELECT sql
     FROM main.sqlite_schema
     WHERE type = 'table' AND name = $1`,
    [name],
  )
  return rows[0]?.sql ?? null
}

// The SQL of indexes and triggers names the table without `main`, so it would be run on the temporary table; and a
// temporary trigger on the table would be lost with it.
async function refuseTemporaryNamesakes(query: Query, name: string): Promise<void> {
  const { rows } = await query<{ type: string; name: string }>(
    `SELECT type, name
     FROM temp.sqlite_schema
     WHERE name = $1 COLLATE NOCASE OR (type = 'trigger' AND tbl_name = $1 COLLATE NOCASE)`,
    [name],
  )
  const [found] = rows
  if (found === undefined) return
  throw new NotRebuildableError(
    name,
    `this connection has the temporary ${found.type} "${found.name}" beside it`,
    'Drop it on this connection first, and create it again afterwards.',
  )
}
