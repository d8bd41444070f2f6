import { findSqliteIndex, sameName, type SqliteIndex } from '../../databases/catalogue/sqlite-index.js'
import { describeTable, requireColumns, type TableDescription } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { classifyError, databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, tableLabel } from '../../databases/identifier.js'
import { SchemaMismatchError, UnsupportedError } from '../../errors.js'
import { createIndexSql } from './create-index-sql.js'
import { duplicateKeysError } from './duplicates.js'
import { IndexDefinitionError, IndexNameTakenError, IndexRefusedError, ReplacedIndexError } from './errors.js'
import type { IndexRequest } from './options.js'
import { hasSqliteDefinition } from './sqlite-definition.js'

/** Holds the request against SQLite and its catalogue before anything is built. */
export async function checkOnSqlite(query: Query, request: IndexRequest): Promise<void> {
  const missing = optionsSqliteLacks(request)
  if (missing.length > 0) {
    throw new UnsupportedError(
      `createIndex "${request.index}": ${missing.join(', ')}`,
      'SQLite',
      "Leave these options out, or say `on: 'postgres'` where this index is for PostgreSQL only.",
    )
  }
  const table = await describeTable({ query, dialect: 'sqlite' }, request.table)
  if (table.kind !== 'table') {
    throw new SchemaMismatchError(
      `createIndex: ${tableLabel(request.table)}`,
      `it is a ${table.kind}, which can't have an index`,
      'Name a table, or leave this update out.',
    )
  }
  requireColumns(
    table,
    request.keys.flatMap((key) => key.column ?? []),
    'columns',
  )
  await findReplaced(query, request, table)
}

/** The index is as it was asked for, and the index it replaces is gone. */
export async function isDoneOnSqlite(query: Query, request: IndexRequest): Promise<boolean> {
  const table = await describeTable({ query, dialect: 'sqlite' }, request.table)
  const index = await findSqliteIndex(query, table.schema, request.index)
  if (index === null || !index.isIndex || !sameName(index.table, table.name)) return false
  if (request.replaces !== null && (await findSqliteIndex(query, table.schema, request.replaces)) !== null) return false
  return hasSqliteDefinition(query, request, table.schema, index)
}

/** From whatever is there to the index without the one it replaces. */
export async function runOnSqlite(query: Query, request: IndexRequest): Promise<void> {
  const table = await describeTable({ query, dialect: 'sqlite' }, request.table)
  // Before the build, not after.
  await findReplaced(query, request, table)
  const sql = createSql(request, table)
  if ((await findSqliteIndex(query, table.schema, request.index)) === null) {
    try {
      await query(sql)
    } catch (error) {
      throw await explainFailure(query, request, table, sql, error)
    }
  }
  // Whoever made it: nothing happens at IF NOT EXISTS when another process was faster.
  await requireDefinition(query, request, table, sql)
  const replaced = await findReplaced(query, request, table)
  if (replaced !== null)
    await query(`DROP INDEX IF EXISTS ${quoteTable({ schema: table.schema, name: replaced.name }, 'sqlite')}`)
}

function optionsSqliteLacks(request: IndexRequest): string[] {
  const { keys } = request
  const uses: readonly (readonly [option: string, used: boolean])[] = [
    ['using', request.using !== null],
    ['include', request.include.length > 0],
    ['nullsNotDistinct', request.nullsNotDistinct],
    ['opclass', keys.some((key) => key.opclass !== undefined)],
    ['nulls', keys.some((key) => key.nulls !== undefined)],
    ['collate with a schema', keys.some((key) => typeof key.collate === 'object' && key.collate.schema !== undefined)],
  ]
  return uses.filter(([, used]) => used).map(([option]) => option)
}

// The index is made in the schema of its table, and its table is looked up there.
function createSql(request: IndexRequest, table: TableDescription): string {
  return createIndexSql(request, {
    dialect: 'sqlite',
    ifNotExists: true,
    index: quoteTable({ schema: table.schema, name: request.index }, 'sqlite'),
    table: quoteIdentifier(table.name, 'sqlite'),
  })
}

async function requireDefinition(
  query: Query,
  request: IndexRequest,
  table: TableDescription,
  sql: string,
): Promise<void> {
  const found = await findSqliteIndex(query, table.schema, request.index)
  if (found === null) throw new IndexRefusedError(request.index, sql, new Error('it is gone again'))
  if (!found.isIndex) throw new IndexNameTakenError(request.index, 'a table or view')
  if (!sameName(found.table, table.name))
    throw new IndexNameTakenError(request.index, `an index of table ${found.table}`)
  if (await hasSqliteDefinition(query, request, table.schema, found)) return
  throw new IndexDefinitionError(found.name, found.definition ?? 'the index of a constraint', sql)
}

async function findReplaced(query: Query, request: IndexRequest, table: TableDescription): Promise<SqliteIndex | null> {
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
  return found
}

async function explainFailure(
  query: Query,
  request: IndexRequest,
  table: TableDescription,
  sql: string,
  error: unknown,
): Promise<unknown> {
  if (classifyError(error) === 'integrity') {
    const name = request.index
    return duplicateKeysError(query, request, { dialect: 'sqlite', name, table, cause: error })
  }
  return databaseErrorCode(error) === 'SQLITE_ERROR' ? new IndexRefusedError(request.index, sql, error) : error
}
