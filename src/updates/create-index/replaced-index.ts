import type { Query } from '../../databases/database.js'
import {
  findPostgresIndex,
  postgresIndexUse,
  type PostgresIndex,
  type PostgresRelation,
} from '../../databases/catalogue/postgres-index.js'
import { quoteTable } from '../../databases/identifier.js'
import { dropConcurrently } from './build-concurrently.js'
import { ReplacedIndexError } from './errors.js'
import type { IndexRequest } from './options.js'
import { waitForOtherBuilders, type BuildContext } from './other-builders.js'
import { underShortLock } from './short-lock.js'

/**
 * The index that is to be dropped when the new one is valid; null when there is none, or none any more.
 *
 * @throws ReplacedIndexError when it can't or must not be dropped
 */
export async function findReplacedIndex(
  query: Query,
  request: IndexRequest,
  table: PostgresRelation,
): Promise<PostgresIndex | null> {
  if (request.replaces === null) return null
  const found = await findPostgresIndex(query, table.schema, request.replaces)
  if (found === null) return null
  if (!found.isIndex) throw new ReplacedIndexError(found.name, 'it is no index')
  if (found.tableOid !== table.oid) throw new ReplacedIndexError(found.name, `it belongs to table ${found.table}`)
  const use = await postgresIndexUse(query, found)
  if (use !== null) throw new ReplacedIndexError(found.name, use)
  return found
}

export async function dropReplacedIndex(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
): Promise<void> {
  const replaced = await findReplacedIndex(context.query, request, table)
  if (replaced === null) return
  context.log.info({ index: replaced.name }, `drops index ${replaced.name}, which ${request.index} replaces`)
  if (replaced.partitioned) {
    // An index of a partitioned table can't be dropped concurrently: all its parts go under one short exclusive lock.
    const sql = `DROP INDEX IF EXISTS ${quoteTable(replaced, 'postgres')}`
    await underShortLock(context, () => context.query(sql))
    return
  }
  await waitForOtherBuilders(context, table.oid)
  await dropConcurrently(context, replaced)
}
