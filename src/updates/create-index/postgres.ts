import { kindWords } from '../../databases/catalogue/table-description.js'
import { describeTable, requireColumns } from '../../databases/catalogue/table.js'
import {
  findPostgresIndex,
  findPostgresRelation,
  type PostgresRelation,
} from '../../databases/catalogue/postgres-index.js'
import type { Query } from '../../databases/database.js'
import { productCapabilities } from '../../databases/server-product.js'
import { quoteIdentifier, quoteTable, tableLabel } from '../../databases/identifier.js'
import { SchemaMismatchError, UnsupportedError } from '../../errors.js'
import { buildConcurrently } from './build-concurrently.js'
import type { IndexRequest } from './options.js'
import { warnOfNothingToReplace } from './nothing-to-replace.js'
import type { BuildContext } from './other-builders.js'
import { buildPartitioned } from './partitioned.js'
import { findOwnIndex, hasDefinition } from './postgres-definition.js'
import { dropReplacedIndex, findReplacedIndex } from './replaced-index.js'

/** Holds the request against the catalogue before anything is built. */
export async function checkOnPostgres(query: Query, request: IndexRequest): Promise<void> {
  for (const name of [request.index, request.replaces]) if (name !== null) quoteIdentifier(name, 'postgres')
  const table = await describeTable({ query, dialect: 'postgres' }, request.table)
  if (!['table', 'partitioned table', 'materialized view'].includes(table.kind)) {
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
  requireColumns(table, request.include, 'include')
  if (request.nullsNotDistinct && (await serverVersion(query)) < 150_000) {
    throw new UnsupportedError(
      `createIndex "${request.index}": nullsNotDistinct`,
      'PostgreSQL 14 and earlier',
      'Leave nullsNotDistinct out, or upgrade the server to PostgreSQL 15 or later.',
    )
  }
  await findReplacedIndex(query, request, await requireTable(query, request))
}

/** The index is valid and as it was asked for, and the index it replaces is gone. */
export async function isDoneOnPostgres(query: Query, request: IndexRequest): Promise<boolean> {
  const table = await findTable(query, request)
  if (table === null) return false
  const index = await findPostgresIndex(query, table.schema, request.index)
  if (index === null || index.tableOid !== table.oid || !index.valid) return false
  if (request.replaces !== null && (await findPostgresIndex(query, table.schema, request.replaces)) !== null)
    return false
  return hasDefinition(query, request, table, index)
}

/** From whatever is there to the valid index without the one it replaces. */
export async function runOnPostgres(session: Omit<BuildContext, 'able'>, request: IndexRequest): Promise<void> {
  const context = { ...session, able: await productCapabilities(session.query) }
  const table = await requireTable(context.query, request)
  // Before hours of building, not after.
  const replaced = await findReplacedIndex(context.query, request, table)
  const own = await findOwnIndex(context.query, table, request.index)
  if (replaced === null && own === null) warnOfNothingToReplace(context.log, request)
  if (table.kind === 'p') await buildPartitioned(context, request, table)
  else await buildConcurrently(context, request, table, request.index)
  await dropReplacedIndex(context, request, table)
}

function findTable(query: Query, request: IndexRequest): Promise<PostgresRelation | null> {
  return findPostgresRelation(query, quoteTable(request.table, 'postgres'))
}

async function requireTable(query: Query, request: IndexRequest): Promise<PostgresRelation> {
  const table = await findTable(query, request)
  if (table !== null) return table
  // Throws, and knows which name was probably meant.
  const { schema, name } = await describeTable({ query, dialect: 'postgres' }, request.table)
  throw new SchemaMismatchError(`table ${schema}.${name}`, 'it is being dropped', 'Name a table that stays.', {
    missing: true,
  })
}

async function serverVersion(query: Query): Promise<number> {
  const { rows } = await query<{ version: number }>(`SELECT current_setting('server_version_num')::int AS version`)
  return rows[0]?.version ?? 0
}
