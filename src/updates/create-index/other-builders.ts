import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { Query } from '../../databases/database.js'
import type { Logger } from '../../observe/logger.js'

/** What the statements of a build on PostgreSQL take. */
export interface BuildContext {
  readonly query: Query
  readonly signal: AbortSignal
  readonly log: Logger
}

/** How often to look whether another process has finished its build. */
export const LOOK_AGAIN_MS = 500

// Other roles' rows of the progress view don't say which table; the locks do. AccessShareLock: tables that it only reads.
const BUILDERS = `
  SELECT p.pid::int AS pid
  FROM pg_stat_progress_create_index AS p
  WHERE p.pid <> pg_backend_pid()
    AND EXISTS (
      SELECT FROM pg_locks AS l
      WHERE l.pid = p.pid
        AND l.locktype = 'relation'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.relation = $1::text::oid
        AND l.granted
        AND l.mode <> 'AccessShareLock'
    )
  ORDER BY p.pid`

/**
 * Waits until no other process builds an index on the table. A second CREATE INDEX CONCURRENTLY that waits inside the
 * server can end in a deadlock with the first, which waits for the snapshot of the second.
 */
export async function waitForOtherBuilders(context: BuildContext, tableOid: string): Promise<void> {
  let told = ''
  for (;;) {
    context.signal.throwIfAborted()
    const builders = (await context.query<{ pid: number }>(BUILDERS, [tableOid])).rows.map((row) => row.pid)
    if (builders.length === 0) return
    const pids = builders.join(', ')
    if (pids !== told)
      context.log.info({ pids: builders }, `waits for the index build of pid ${pids} on the same table`)
    told = pids
    await sleepUnlessAborted(systemClock, LOOK_AGAIN_MS, context.signal)
  }
}

/** A pause between two looks; ends at once when the signal aborts. */
export async function lookAgainLater(context: BuildContext): Promise<void> {
  await sleepUnlessAborted(systemClock, LOOK_AGAIN_MS, context.signal)
}
