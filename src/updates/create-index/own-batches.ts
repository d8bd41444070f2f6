import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { BuildContext } from './other-builders.js'

const LOOK_AGAIN_MS = 100

// Transactions of batches, of any runner: a one-shot's statement is a transaction of its own, which begins with it.
const OPEN_BATCHES = `
  SELECT a.pid::int AS pid, a.application_name::text AS application
  FROM pg_stat_activity AS a
  WHERE a.datname = current_database()
    AND a.pid <> pg_backend_pid()
    AND starts_with(a.application_name, 'evenkeel:')
    AND a.xact_start < clock_timestamp() - $1::float8 * INTERVAL '1 millisecond'
    AND a.xact_start < a.query_start
  ORDER BY a.pid`

/**
 * Waits until no batch of ours has been open for longer than its target, whichever process runs it. A concurrent build
 * waits for every older transaction while it holds its lock on the table, so it isn't begun behind one of our own that is
 * slow; one that is as fast as it should be is over before the build asks for it.
 */
export async function waitForOwnBatches(context: BuildContext): Promise<void> {
  if (!context.able.showsBuilds) return
  let told = ''
  for (;;) {
    context.signal.throwIfAborted()
    const { rows } = await context.query<{ pid: number; application: string }>(OPEN_BATCHES, [context.targetMs])
    if (rows.length === 0) return
    const batches = rows.map(({ pid, application }) => `pid ${pid} (${application})`).join(', ')
    if (batches !== told)
      context.log.info({ batches }, `waits for an open batch of ours before the index is built: ${batches}`)
    told = batches
    await sleepUnlessAborted(systemClock, LOOK_AGAIN_MS, context.signal)
  }
}
