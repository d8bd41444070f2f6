import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { Query } from '../../databases/database.js'
import type { ProductCapabilities } from '../../databases/server-product.js'
import type { Logger } from '../../observe/logger.js'

/** What the statements of a build on PostgreSQL take. */
export interface BuildContext {
  /** Goes on when the signal has aborted: what was begun has to be cleaned up. */
  readonly query: Query
  /** Cancels the statement that runs now. */
  cancel(): Promise<void>
  readonly signal: AbortSignal
  readonly log: Logger
  /** What the server can do. */
  readonly able: ProductCapabilities
  /** How long a batch of ours should take, in ms. */
  readonly targetMs: number
}

/** How often to look whether another process has finished its build. */
export const LOOK_AGAIN_MS = 500

// Other roles' rows of the progress view don't say which table; the locks do. AccessShareLock: tables that it only reads.
const BUILDERS = `
  SELECT p.pid::int AS pid, p.index_relid::text AS index_oid
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

/** What looking for builders takes. */
export type Builders = Pick<BuildContext, 'query' | 'able'>

/** A process that builds an index on the table now. */
export interface OtherBuilder {
  readonly pid: number
  /** The index; null when this role may not see it, and `0` before there is one. */
  readonly index_oid: string | null
}

export async function otherBuilders({ query, able }: Builders, tableOid: string): Promise<OtherBuilder[]> {
  if (!able.showsBuilds) return []
  return (await query<OtherBuilder>(BUILDERS, [tableOid])).rows
}

/**
 * Waits until no other process builds an index on the table. A second CREATE INDEX CONCURRENTLY that waits inside the
 * server can end in a deadlock with the first, which waits for the snapshot of the second.
 */
export async function waitForOtherBuilders(context: BuildContext, tableOid: string): Promise<void> {
  let told = ''
  for (;;) {
    context.signal.throwIfAborted()
    const builders = await otherBuilders(context, tableOid)
    if (builders.length === 0) return
    const pids = builders.map((builder) => builder.pid).join(', ')
    if (pids !== told) context.log.info({ pids }, `waits for the index build of pid ${pids} on the same table`)
    told = pids
    await sleepUnlessAborted(systemClock, LOOK_AGAIN_MS, context.signal)
  }
}

/** A pause between two looks; ends at once when the signal aborts. */
export async function lookAgainLater(context: BuildContext): Promise<void> {
  await sleepUnlessAborted(systemClock, LOOK_AGAIN_MS, context.signal)
}
