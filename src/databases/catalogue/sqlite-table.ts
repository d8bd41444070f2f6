import type { Query } from '../database.js'
import { quoteIdentifier, type TableName } from '../identifier.js'
import { firstList, sqliteTokens, type SqliteToken } from './sqlite-tokens.js'
import type { TableColumn, TableDescription, TableKind, UniqueKey } from './table-description.js'

// Temporary tables hide those of main, as they do in a statement without a schema.
const TABLE = `
  SELECT schema, name, type, wr, strict
  FROM pragma_table_list
  WHERE name = $1 COLLATE NOCASE AND ($2 IS NULL OR schema = $2 COLLATE NOCASE)
  ORDER BY CASE schema WHEN 'temp' THEN 0 WHEN 'main' THEN 1 ELSE 2 END
  LIMIT 1`

const TABLE_NAMES = `
  SELECT name
  FROM pragma_table_list
  WHERE ($1 IS NULL OR schema = $1 COLLATE NOCASE) AND type IN ('table', 'view', 'virtual')
  ORDER BY name`

const COLUMNS = `
  SELECT name, type, "notnull" AS not_null, pk, hidden
  FROM pragma_table_xinfo($1, $2)
  ORDER BY cid`

const UNIQUE_INDEXES = `
  SELECT name, origin
  FROM pragma_index_list($1, $2)
  WHERE "unique" = 1 AND partial = 0
  ORDER BY CASE origin WHEN 'pk' THEN 0 ELSE 1 END, name`

const INDEX_COLUMNS = `
  SELECT name, coll, "desc" AS descending
  FROM pragma_index_xinfo($1, $2)
  WHERE key = 1
  ORDER BY seqno`

const KINDS: Readonly<Record<string, TableKind>> = { table: 'table', view: 'view', virtual: 'virtual table' }

export async function describeSqliteTable(query: Query, table: TableName): Promise<TableDescription | null> {
  const [name, schema] = typeof table === 'string' ? [table, null] : [table.name, table.schema ?? null]
  const [found] = (await query<TableRow>(TABLE, [name, schema])).rows
  if (!found) return null
  const place = [found.name, found.schema]
  const columnRows = (await query<ColumnRow>(COLUMNS, place)).rows
  const indexRows = (await query<IndexRow>(UNIQUE_INDEXES, place)).rows
  const rowidAlias = rowidAliasOf(found, columnRows, indexRows)
  const sql = await tableSql(query, found)
  const collations = columnCollations(sql)
  const columns = columnRows.map((row) =>
    toColumn(row, row.name === rowidAlias || (found.wr === 1 && row.pk > 0), collations.get(row.name.toLowerCase())),
  )
  const uniqueKeys = await readUniqueKeys(query, found.schema, indexRows, columns, collations)
  if (rowidAlias !== null) uniqueKeys.unshift(rowidKey(rowidAlias))
  return {
    dialect: 'sqlite',
    schema: found.schema,
    name: found.name,
    kind: KINDS[found.type] ?? 'other',
    inherited: false,
    hidingFrom: null,
    withoutRowid: found.wr === 1,
    strict: found.strict === 1,
    sql,
    columns,
    primaryKey: uniqueKeys.find((key) => key.primary) ?? null,
    uniqueKeys,
    estimatedRows: await estimatedRows(query, found),
  }
}

/** Names of tables that could have been meant, for a suggestion. */
export async function sqliteTableNames(query: Query, table: TableName): Promise<string[]> {
  const schema = typeof table === 'string' ? null : (table.schema ?? null)
  return (await query<{ name: string }>(TABLE_NAMES, [schema])).rows.map((row) => row.name)
}

interface TableRow {
  schema: string
  name: string
  type: string
  wr: number
  strict: number
}

interface ColumnRow {
  name: string
  type: string
  not_null: number
  pk: number
  hidden: number
}

interface IndexRow {
  name: string
  origin: string
}

// INTEGER PRIMARY KEY is the rowid itself and has no index; `INTEGER PRIMARY KEY DESC` has one and may even be NULL.
function rowidAliasOf(table: TableRow, columns: readonly ColumnRow[], indexes: readonly IndexRow[]): string | null {
  const primary = columns.filter((column) => column.pk > 0)
  const [only] = primary
  if (table.type !== 'table' || table.wr === 1 || primary.length !== 1 || only === undefined) return null
  return indexes.some((index) => index.origin === 'pk') ? null : only.name
}

function rowidKey(column: string): UniqueKey {
  return { index: null, primary: true, columns: [column], collations: [null], notNull: true, ordered: true }
}

// `hidden`: 1 is a hidden column of a virtual table, 2 a virtual and 3 a stored generated column.
function toColumn(row: ColumnRow, implicitlyNotNull: boolean, collation = 'binary'): TableColumn {
  return {
    name: row.name,
    type: row.type,
    castType: '',
    typeName: row.type,
    orderType: row.type.replace(/ *\(.*/s, '').toUpperCase(),
    collation: collation === 'binary' ? null : quoteIdentifier(collation, 'sqlite'),
    orderIds: '',
    notNull: row.not_null === 1 || implicitlyNotNull,
    generated: row.hidden === 2 ? 'virtual' : row.hidden === 3 ? 'stored' : null,
    identity: null,
  }
}

async function readUniqueKeys(
  query: Query,
  schema: string,
  indexes: readonly IndexRow[],
  columns: readonly TableColumn[],
  collationOf: ReadonlyMap<string, string>,
): Promise<UniqueKey[]> {
  const keys: UniqueKey[] = []
  for (const index of indexes) {
    const parts = (await query<{ name: string | null; coll: string }>(INDEX_COLUMNS, [index.name, schema])).rows
    const names = parts.map((part) => part.name)
    // An expression has no name.
    if (!names.every((name) => name !== null)) continue
    const collations = parts.map(({ name, coll }) => {
      const own = collationOf.get(String(name).toLowerCase()) ?? 'binary'
      return coll.toLowerCase() === own ? null : quoteIdentifier(coll, 'sqlite')
    })
    keys.push({
      index: index.name,
      primary: index.origin === 'pk',
      columns: names,
      collations,
      notNull: names.every((name) => columns.find((column) => column.name === name)?.notNull === true),
      // A comparison of rows uses no index when a collation is written out in it.
      ordered: names.length === 1 || collations.every((collation) => collation === null),
    })
  }
  return keys
}

const TABLE_SQL = (schema: string) => `
  SELECT sql
  FROM ${quoteIdentifier(schema, 'sqlite')}.sqlite_schema
  WHERE type = 'table' AND name = $1`

async function tableSql(query: Query, table: TableRow): Promise<string> {
  const [found] = (await query<{ sql: string | null }>(TABLE_SQL(table.schema), [table.name])).rows
  return found?.sql ?? ''
}

// No pragma tells the collation of a column: it is read from the table's own statement. Absent means BINARY.
function columnCollations(sql: string): Map<string, string> {
  const collations = new Map<string, string>()
  for (const [column, ...definition] of firstList(sqliteTokens(sql)).items) {
    const collation = writtenCollation(definition)
    if (column !== undefined && collation !== null) collations.set(bareName(column.text).toLowerCase(), collation)
  }
  return collations
}

// The last one counts; one inside of parentheses belongs to a CHECK, a DEFAULT or a generated expression.
function writtenCollation(definition: readonly SqliteToken[]): string | null {
  let found: string | null = null
  let depth = 0
  for (const [position, token] of definition.entries()) {
    if (token.kind === 'symbol' && token.text === '(') depth += 1
    if (token.kind === 'symbol' && token.text === ')') depth -= 1
    if (depth > 0 || token.kind !== 'word' || token.text !== 'collate') continue
    found = bareName(definition[position + 1]?.text ?? '').toLowerCase()
  }
  return found
}

// SQLite takes a name in apostrophes, too.
function bareName(text: string): string {
  return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text
}

// The first number of a `stat` is the number of rows in the index, or in the table where `idx` is NULL.
async function estimatedRows(query: Query, table: TableRow): Promise<number | null> {
  const schema = quoteIdentifier(table.schema, 'sqlite')
  const analysed = await query(`SELECT 1 FROM ${schema}.sqlite_schema WHERE name = 'sqlite_stat1'`)
  if (analysed.rows.length === 0) return null
  const { rows } = await query<{ estimate: number | null }>(
    `SELECT max(CAST(stat AS INTEGER)) AS estimate FROM ${schema}.sqlite_stat1 WHERE tbl = $1`,
    [table.name],
  )
  return rows[0]?.estimate ?? null
}
