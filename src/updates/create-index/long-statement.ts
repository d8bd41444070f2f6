import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { BuildContext } from './other-builders.js'
import { withoutTimeouts } from '../../databases/session-settings.js'

/** What it takes of a build's context. */
export type StatementContext = Pick<BuildContext, 'query' | 'cancel' | 'signal'>

const CANCEL_AGAIN_MS = 1_000

/**
 * Runs a statement that may take hours, without the time limits of the session. It ends soon after the signal aborts:
 * a cancel that comes a moment before the server begins with the statement is lost, so it is repeated.
 */
export async function longStatement(context: StatementContext, sql: string): Promise<void> {
  const ended = new AbortController()
  const onAbort = () => void cancelUntil(ended.signal, context)
  context.signal.throwIfAborted()
  context.signal.addEventListener('abort', onAbort, { once: true })
  try {
    await withoutTimeouts(context.query, async () => {
      context.signal.throwIfAborted()
      await context.query(sql).finally(() => ended.abort())
    })
  } finally {
    ended.abort()
    context.signal.removeEventListener('abort', onAbort)
  }
}

// The driver has sent the first cancel.
async function cancelUntil(ended: AbortSignal, context: StatementContext): Promise<void> {
  for (;;) {
    await sleepUnlessAborted(systemClock, CANCEL_AGAIN_MS, ended)
    if (ended.aborted) return
    await context.cancel().catch(() => {})
  }
}
