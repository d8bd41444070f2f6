import {
  findSqliteIndex,
  sameName,
  sqliteReferencesTo,
  type SqliteIndex,
} from '../../databases/catalogue/sqlite-index.js'
import type { TableDescription } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { ReplacedIndexError } from './errors.js'
import type { IndexRequest } from './options.js'

/**
 * The index that is to be dropped when the new one is there; null when there is none, or none any more.
 *
 * @throws ReplacedIndexError when it can't or must not be dropped
 */
export async function findReplacedSqliteIndex(
  query: Query,
  request: IndexRequest,
  table: TableDescription,
): Promise<SqliteIndex | null> {
  if (request.replaces === null) return null
  if (sameName(request.replaces, request.index)) {
    throw new ReplacedIndexError(
      request.replaces,
      'it is the new index itself: SQLite makes no difference between upper and lower case',
    )
  }
  const found = await findSqliteIndex(query, table.schema, request.replaces)
  if (found === null) return null
  if (!found.isIndex) throw new ReplacedIndexError(found.name, 'it is no index')
  if (!sameName(found.table, table.name)) throw new ReplacedIndexError(found.name, `it belongs to table ${found.table}`)
  if (found.definition === null) throw new ReplacedIndexError(found.name, 'it backs a UNIQUE or PRIMARY KEY constraint')
  const child = await neededByForeignKey(query, request, table, found)
  if (child !== null) throw new ReplacedIndexError(found.name, `a foreign key of table ${child} refers to its columns`)
  return found
}

// SQLite drops it without a word, and every later write to the child table fails with "foreign key mismatch".
async function neededByForeignKey(
  query: Query,
  request: IndexRequest,
  table: TableDescription,
  replaced: SqliteIndex,
): Promise<string | null> {
  if (!replaced.unique) return null
  const columns = replaced.keys.map((key) => key.column)
  const others = table.uniqueKeys.filter((key) => key.index === null || !sameName(key.index, replaced.name))
  const stay = others.map((key) => key.columns)
  if (request.unique && request.where === null) stay.push(request.keys.map((key) => key.column ?? ''))
  if (stay.some((key) => sameColumns(key, columns))) return null
  const references = await sqliteReferencesTo(query, table.schema, table.name)
  return references.find((reference) => sameColumns(reference.columns, columns))?.child ?? null
}

function sameColumns(left: readonly string[], right: readonly (string | null)[]): boolean {
  return (
    left.length === right.length &&
    right.every((column) => column !== null && left.some((name) => sameName(name, column)))
  )
}
