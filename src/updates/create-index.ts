import type { Dialect, Query } from '../databases/database.js'
import { quoteTable } from '../databases/identifier.js'
import {
  createIndexProblems,
  CREATE_INDEX_OPTIONS,
  indexRequest,
  type CreateIndexOptions,
  type IndexRequest,
} from './create-index/options.js'
import { inspectOnPostgres } from './create-index/postgres-progress.js'
import { checkOnPostgres, isDoneOnPostgres, runOnPostgres } from './create-index/postgres.js'
import { withoutTimeouts } from './create-index/session-settings.js'
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
export function createIndex(options: CreateIndexOptions): OneShotUpdate<unknown, unknown> {
  const common = commonDefinition('createIndex', options, CREATE_INDEX_OPTIONS, createIndexProblems(options))
  const request = indexRequest(options)
  return {
    ...common,
    oneShot: true,
    initialProgress: {},
    async check({ query, dialect }) {
      await (dialect === 'postgres' ? checkOnPostgres(query, request) : checkOnSqlite(query, request))
    },
    async isDone({ query, dialect, progress }) {
      if (request.analyze && !wasAnalyzed(progress)) return false
      return dialect === 'postgres' ? isDoneOnPostgres(query, request) : isDoneOnSqlite(query, request)
    },
    async run(context) {
      await build(context, request)
      if (!request.analyze || wasAnalyzed(context.progress)) return
      context.signal.throwIfAborted()
      await analyze(context.query, context.dialect, request)
      // The catalogue can't tell whether ANALYZE was run since: the progress does.
      return { progress: ANALYZED, done: false }
    },
    async inspect({ query, dialect }) {
      return dialect === 'postgres' ? inspectOnPostgres(query, request) : { fraction: null, phase: 'building index' }
    },
  }
}

const ANALYZED = { analyzed: true }

function wasAnalyzed(progress: unknown): boolean {
  return typeof progress === 'object' && progress !== null && 'analyzed' in progress && progress.analyzed === true
}

async function build(context: OneShotContext<unknown, unknown>, request: IndexRequest): Promise<void> {
  context.signal.throwIfAborted()
  await (context.dialect === 'postgres' ? runOnPostgres(context, request) : runOnSqlite(context.query, request))
}

async function analyze(query: Query, dialect: Dialect, request: IndexRequest): Promise<void> {
  const sql = `ANALYZE ${quoteTable(request.table, dialect)}`
  await (dialect === 'postgres' ? withoutTimeouts(query, () => query(sql)) : query(sql))
}
