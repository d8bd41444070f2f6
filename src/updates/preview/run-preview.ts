import type { Database, Query } from '../../databases/database.js'
import { classifyError } from '../../databases/error-class.js'
import type { JsonObject } from '../../json.js'
import type { UpdateDefinition } from '../definition.js'
import type { Preview, PreviewContext } from './preview.js'

export interface PreviewLimits {
  /** In ms. */
  readonly timeoutMs: number
  /** Most rows to find. */
  readonly rows: number
}

/** The preview of an update from its saved progress on; null for one that changes no rows of a table that it walks. */
export async function runPreview<Tx>(
  database: Database<Tx>,
  definition: UpdateDefinition<Tx, never>,
  progress: JsonObject,
  limits: PreviewLimits,
): Promise<Preview | null> {
  const endMs = performance.now() + limits.timeoutMs
  const leftMs = () => Math.ceil(endMs - performance.now())
  const context: PreviewContext = {
    dialect: database.dialect,
    limit: limits.rows,
    hasTime: () => leftMs() > 0,
    // SQLite can't end a statement; the steps are short.
    step: (work) =>
      database.dialect === 'postgres'
        ? limitedStep(database, Math.max(1, leftMs()), work)
        : database.session((session) => work(session.query)),
  }
  return (await definition.preview?.(context, progress)) ?? null
}

// A transaction, for a setting of its own: behind a pooler a session's would stay on the connection.
async function limitedStep<Tx, T>(
  database: Database<Tx>,
  timeoutMs: number,
  work: (query: Query) => Promise<T>,
): Promise<T | null> {
  try {
    return await database.transaction(async (tx) => {
      await database.query(
        tx,
        `SELECT pg_catalog.set_config('statement_timeout', $1, true), pg_catalog.set_config('lock_timeout', $1, true)`,
        [`${timeoutMs}ms`],
      )
      return work((text, values) => database.query(tx, text, values))
    })
  } catch (error) {
    const errorClass = classifyError(error)
    if (errorClass === 'timeout' || errorClass === 'lock') return null
    throw error
  }
}
