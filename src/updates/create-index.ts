import { requireReadable } from '../options.js'
import { quoteTable } from '../databases/identifier.js'
import type { JsonObject } from '../json.js'
import {
  createIndexProblems,
  CREATE_INDEX_OPTIONS,
  indexRequest,
  optionsOfPostgres,
  type CreateIndexOptions,
  type IndexRequest,
} from './create-index/options.js'
import { longStatement } from './create-index/long-statement.js'
import type { BuildContext } from './create-index/other-builders.js'
import { inspectOnPostgres } from './create-index/postgres-progress.js'
import { checkOnPostgres, isDoneOnPostgres, runOnPostgres } from './create-index/postgres.js'
import { checkOnSqlite, isDoneOnSqlite, runOnSqlite } from './create-index/sqlite.js'
import { commonDefinition } from './define.js'
import type { OneShotContext, OneShotUpdate } from './definition.js'

export type { CreateIndexOptions, IndexColumn, QualifiedName } from './create-index/options.js'
export {
  DuplicateKeysError,
  ForeignPartitionError,
  IndexComparisonError,
  IndexDefinitionError,
  IndexNameTakenError,
  IndexRefusedError,
  ReplacedIndexError,
  type DuplicateKey,
} from './create-index/errors.js'

/**
 * An update that builds an index while the application goes on writing: CREATE INDEX CONCURRENTLY on PostgreSQL,
 * CREATE INDEX IF NOT EXISTS on SQLite. A valid index of the same name and definition is taken for done; what an
 * interrupted build left is dropped and built again; an index of the same name but another definition is an error, and
 * is never dropped. With `replaces`, the old index is dropped once the new one is valid.
 *
 * A partitioned table gets its index on the parent alone, then on each partition concurrently.
 *
 * The update fails at once, and for good until it is retried, with IndexDefinitionError, IndexNameTakenError,
 * DuplicateKeysError (with samples of the keys), ReplacedIndexError, ForeignPartitionError or IndexRefusedError.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { createIndex } from 'evenkeel'
 *
 * export const emailIndex = createIndex({
 *   name: 'users_email_index',
 *   index: 'users_email_lower_key',
 *   table: 'users',
 *   columns: [{ expression: 'lower(email)' }],
 *   unique: true,
 *   where: 'deleted_at IS NULL',
 *   replaces: 'users_email_key',
 *   analyze: true,
 * })
 */
export function createIndex(options: CreateIndexOptions): OneShotUpdate<unknown, JsonObject> {
  requireReadable('createIndex', options)
  const common = commonDefinition('createIndex', options, CREATE_INDEX_OPTIONS, createIndexProblems(options))
  const request = indexRequest(options)
  return {
    ...common,
    table: options.table,
    dialects: optionsOfPostgres(request).length > 0 ? ['postgres'] : common.dialects,
    oneShot: true,
    initialProgress: {},
    async check({ query, dialect }) {
      await (dialect === 'postgres' ? checkOnPostgres(query, request) : checkOnSqlite(query, request))
    },
    async isDone({ session, dialect, progress }) {
      if (request.analyze && !wasAnalyzed(progress)) return false
      return dialect === 'postgres' ? isDoneOnPostgres(session.query, request) : isDoneOnSqlite(session.query, request)
    },
    async run(context) {
      context.signal.throwIfAborted()
      if (context.dialect === 'postgres') await runOnPostgres(buildContext(context), request)
      else await runOnSqlite(context.query, request, context.log)
      if (!request.analyze || wasAnalyzed(context.progress)) return
      await analyze(context, request)
      // The catalogue can't tell whether ANALYZE was run since: the progress does.
      return { progress: ANALYZED, done: false }
    },
    async inspect({ query, dialect }) {
      return dialect === 'postgres' ? inspectOnPostgres(query, request) : { fraction: null, phase: 'building index' }
    },
  }
}

const ANALYZED = { analyzed: true }

function wasAnalyzed(progress: JsonObject): boolean {
  return progress.analyzed === true
}

// `context.query` refuses to go on after an abort; a session must not go back into the pool with what was changed in it.
function buildContext({
  session,
  signal,
  log,
  targetMs,
}: OneShotContext<unknown, JsonObject>): Omit<BuildContext, 'able'> {
  return { query: session.query, cancel: () => session.cancel(), signal, log, targetMs }
}

async function analyze(context: OneShotContext<unknown, JsonObject>, request: IndexRequest): Promise<void> {
  const sql = `ANALYZE ${quoteTable(request.table, context.dialect)}`
  if (context.dialect === 'postgres') await longStatement(buildContext(context), sql)
  else await context.query(sql)
}
