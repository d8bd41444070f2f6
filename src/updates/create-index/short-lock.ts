import { systemClock } from '../../clock.js'
import type { Query } from '../../databases/database.js'
import { LOCK_TIMEOUT_MS, retryForLock } from '../../databases/lock-timeout.js'
import { withSettings } from '../../databases/session-settings.js'

/**
 * Runs a statement that takes a lock others have to wait behind, for a short time a try: a statement that waits for such
 * a lock holds up every query that comes after it.
 */
export async function underShortLock(
  context: { readonly query: Query; readonly signal: AbortSignal },
  work: () => Promise<unknown>,
): Promise<void> {
  await retryForLock(() => withSettings(context.query, { lock_timeout: `${LOCK_TIMEOUT_MS}ms` }, work), {
    clock: systemClock,
    random: Math.random,
    signal: context.signal,
  })
}
