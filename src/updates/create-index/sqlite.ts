import { findSqliteIndex, sameName } from '../../databases/catalogue/sqlite-index.js'
import { kindWords } from '../../databases/catalogue/table-description.js'
import { describeTable, requireColumns, type TableDescription } from '../../databases/catalogue/table.js'
import type { Query } from '../../databases/database.js'
import { classifyError, databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable, tableLabel } from '../../databases/identifier.js'
import { SchemaMismatchError, UnsupportedError } from '../../errors.js'
import type { Logger } from '../../observe/logger.js'
import { createIndexSql } from './create-index-sql.js'
import { duplicateKeysError } from './duplicates.js'
import { IndexDefinitionError, IndexNameTakenError, IndexRefusedError } from './errors.js'
import { warnOfNothingToReplace } from './nothing-to-replace.js'
import { optionsOfPostgres, type IndexRequest } from './options.js'
import { hasSqliteDefinition } from './sqlite-definition.js'
import { findReplacedSqliteIndex } from './sqlite-replaced-index.js'

/** Holds the request against SQLite and its catalogue before anything is built. */
export async function checkOnSqlite(query: Query, request: IndexRequest): Promise<void> {
  const missing = optionsOfPostgres(request)
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
      `it is ${kindWords(table)}, on which no index can be made`,
      'Name a table, or leave this update out.',
    )
  }
  requireColumns(
    table,
    request.keys.flatMap((key) => key.column ?? []),
    'columns',
  )
  await findReplacedSqliteIndex(query, request, table)
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
export async function runOnSqlite(query: Query, request: IndexRequest, log: Logger): Promise<void> {
  const table = await describeTable({ query, dialect: 'sqlite' }, request.table)
  // Before the build, not after.
  const old = await findReplacedSqliteIndex(query, request, table)
  const sql = createSql(request, table)
  if ((await findSqliteIndex(query, table.schema, request.index)) === null) {
    if (old === null) warnOfNothingToReplace(log, request)
    try {
      await query(sql)
    } catch (error) {
      throw await explainFailure(query, request, table, sql, error)
    }
  }
  // Whoever made it: nothing happens at IF NOT EXISTS when another process was faster.
  await requireDefinition(query, request, table, sql)
  const replaced = await findReplacedSqliteIndex(query, request, table)
  if (replaced !== null)
    await query(`DROP INDEX IF EXISTS ${quoteTable({ schema: table.schema, name: replaced.name }, 'sqlite')}`)
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
