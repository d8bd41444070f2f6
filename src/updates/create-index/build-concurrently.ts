import type { PostgresIndex, PostgresRelation } from '../../databases/catalogue/postgres-index.js'
import { findPostgresIndex } from '../../databases/catalogue/postgres-index.js'
import { classifyError, databaseErrorCode } from '../../databases/error-class.js'
import { quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import { createIndexSql } from './create-index-sql.js'
import { duplicateKeysError } from './duplicates.js'
import { IndexRefusedError } from './errors.js'
import type { IndexRequest } from './options.js'
import { longStatement } from './long-statement.js'
import {
  lookAgainLater,
  otherBuilders,
  waitForOtherBuilders,
  type BuildContext,
  type Builders,
} from './other-builders.js'
import { waitForOwnBatches } from './own-batches.js'
import { findOwnIndex, requireSameDefinition } from './postgres-definition.js'
import { isNameTaken, isRefusal } from './refusal.js'
import { underShortLock } from './short-lock.js'
import type { ProductCapabilities } from '../../databases/server-product.js'
import { despiteCancel, withSettings } from '../../databases/session-settings.js'

// After a stop, removing the unfinished index must not hold up the end of the process.
const CLEANUP_AFTER_STOP_MS = 5_000
// CREATE INDEX says that the name is taken, and a moment later nothing has it: somebody else builds and drops.
const MAX_LOST_RACES = 20

/**
 * Brings one index of a table that isn't partitioned to the point where it is valid, whatever is there already:
 * nothing, the finished index, what an interrupted build left, or a build that another process is doing now.
 *
 * @throws IndexDefinitionError, IndexNameTakenError, DuplicateKeysError, IndexRefusedError
 */
export async function buildConcurrently(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
  name: string,
): Promise<PostgresIndex> {
  for (let lostRaces = 0; ;) {
    await waitForOtherBuilders(context, table.oid)
    const found = await findOwnIndex(context.query, table, name)
    if (found === null) {
      const race = await create(context, request, table, name)
      if (race === null) continue
      lostRaces += 1
      if (lostRaces > MAX_LOST_RACES) throw race
      await lookAgainLater(context)
    } else if (found.valid) {
      await requireSameDefinition(context.query, request, table, found)
      return found
    } else if (await isAbandoned(context, found)) {
      context.log.info({ index: name }, `drops the invalid index ${name}, which an interrupted build left`)
      await dropConcurrently(context, found)
    } else {
      await lookAgainLater(context)
    }
  }
}

/** Drops an index that no constraint needs, without blocking anybody. It waits for the transactions that use its table. */
export async function dropConcurrently(context: BuildContext, index: { schema: string; name: string }): Promise<void> {
  const sql = dropIndexSql(index, context.able)
  // Not concurrently, it may take a lock that others have to wait behind.
  if (context.able.dropsConcurrently) await longStatement(context, sql)
  else await underShortLock(context, () => context.query(sql))
}

export function dropIndexSql(index: { schema: string; name: string }, able: ProductCapabilities): string {
  const concurrently = able.dropsConcurrently ? 'CONCURRENTLY ' : ''
  return `DROP INDEX ${concurrently}IF EXISTS ${quoteTable(index, 'postgres')}`
}

/** Returns the error when somebody else took the name in the meantime, which the catalogue will show. */
async function create(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
  name: string,
): Promise<Error | null> {
  const sql = createIndexSql(request, {
    dialect: 'postgres',
    index: quoteIdentifier(name, 'postgres'),
    table: quoteTable(table, 'postgres'),
    concurrently: true,
  })
  await waitForOwnBatches(context)
  try {
    await longStatement(context, sql)
    return null
  } catch (error) {
    if (error instanceof Error && isNameTaken(error)) return error
    if (classifyError(error) === 'connection') throw error
    await removeUnfinished(context, table, name)
    throw await explainFailure(context, request, table, name, sql, error)
  }
}

// A builder's last transaction can commit between the two halves of a look, so one look isn't enough: what is invalid
// and has no builder at the first, and is still so at the second, stays so.
async function isAbandoned(context: Builders, first: PostgresIndex): Promise<boolean> {
  if (first.changing) return false
  const builders = await otherBuilders(context, first.tableOid)
  if (builders.some((builder) => builder.index_oid === null || builder.index_oid === first.oid)) return false
  const second = await findPostgresIndex(context.query, first.schema, first.name)
  return second !== null && second.oid === first.oid && !second.valid && !second.changing
}

/** After a failed build. When it can't, the next attempt does it. */
async function removeUnfinished(context: BuildContext, table: PostgresRelation, name: string): Promise<void> {
  const { query, signal, log } = context
  try {
    const found = await despiteCancel(() => findPostgresIndex(query, table.schema, name))
    if (found === null || found.tableOid !== table.oid || found.valid) return
    // Another process may have taken over and be building it.
    if (!(await despiteCancel(() => isAbandoned(context, found)))) return
    if (!signal.aborted) {
      try {
        await waitForOtherBuilders(context, table.oid)
        await dropConcurrently(context, found)
        return
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
    const limits = { statement_timeout: String(CLEANUP_AFTER_STOP_MS), lock_timeout: '0' }
    await despiteCancel(() => withSettings(query, limits, () => query(dropIndexSql(found, context.able))))
  } catch (error) {
    log.warn({ index: name, error }, `could not drop the unfinished index ${name}; the next attempt will`)
  }
}

async function explainFailure(
  context: BuildContext,
  request: IndexRequest,
  table: PostgresRelation,
  name: string,
  sql: string,
  error: unknown,
): Promise<unknown> {
  if (context.signal.aborted) return error
  if (databaseErrorCode(error) === '23505') {
    return duplicateKeysError(context.query, request, { dialect: 'postgres', name, table, cause: error })
  }
  return isRefusal(error) ? new IndexRefusedError(name, sql, error) : error
}
