import {
  sameName,
  sqliteColumnCollation,
  type SqliteIndex,
  type SqliteIndexKey,
} from '../../databases/catalogue/sqlite-index.js'
import { sameSqliteExpression, sqliteTokens, withoutOuterParentheses } from '../../databases/catalogue/sqlite-tokens.js'
import type { Query } from '../../databases/database.js'
import type { IndexKey, IndexRequest } from './options.js'

/** Whether an existing index is what the request would make. In doubt it is not. */
export async function hasSqliteDefinition(
  query: Query,
  request: IndexRequest,
  schema: string,
  existing: SqliteIndex,
): Promise<boolean> {
  if (existing.unique !== request.unique || existing.keys.length !== request.keys.length) return false
  if (!sameWhere(request, existing)) return false
  for (const [position, key] of existing.keys.entries()) {
    const wanted = request.keys[position]
    if (wanted === undefined || !sameValue(wanted, key)) return false
    if ((wanted.order === 'desc') !== key.descending) return false
    if (!(await sameCollation(query, schema, existing.table, wanted, key))) return false
  }
  return true
}

function sameWhere(request: IndexRequest, existing: SqliteIndex): boolean {
  if (request.where === null || existing.where === null) return request.where === existing.where
  return sameSqliteExpression(sqliteTokens(request.where), existing.where)
}

function sameValue(wanted: IndexKey, existing: SqliteIndexKey): boolean {
  if (existing.column === null) {
    return wanted.expression !== undefined && sameSqliteExpression(sqliteTokens(wanted.expression), existing.expression)
  }
  return sameName(columnOf(wanted), existing.column)
}

// SQLite takes an expression that is only a column's name for the column.
function columnOf(wanted: IndexKey): string | undefined {
  if (wanted.column !== undefined) return wanted.column
  const [only, ...others] = withoutOuterParentheses(sqliteTokens(wanted.expression))
  return only && others.length === 0 && (only.kind === 'word' || only.kind === 'quoted') ? only.text : undefined
}

async function sameCollation(
  query: Query,
  schema: string,
  table: string,
  wanted: IndexKey,
  existing: SqliteIndexKey,
): Promise<boolean> {
  if (wanted.collate !== undefined) {
    const name = typeof wanted.collate === 'string' ? wanted.collate : wanted.collate.name
    return sameName(name, existing.collation)
  }
  // The collation of an expression follows from the expression, which is the same.
  if (existing.column === null) return !existing.collationWritten
  return sameName(await sqliteColumnCollation(query, schema, table, existing.column), existing.collation)
}
