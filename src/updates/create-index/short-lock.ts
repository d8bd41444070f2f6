import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { Query } from '../../databases/database.js'
import { databaseErrorCode } from '../../databases/error-class.js'
import { withSettings } from './session-settings.js'

const LOCK_TIMEOUT = '400ms'
const MAX_TRIES = 30
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

/**
 * Runs a statement that takes a lock others have to wait behind, for at most 400 ms a try: a statement that waits for
 * such a lock holds up every query that comes after it. Up to 30 tries, 0.5 to 30 s apart.
 */
export async function underShortLock(
  context: { readonly query: Query; readonly signal: AbortSignal },
  work: () => Promise<unknown>,
  random: () => number = Math.random,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    context.signal.throwIfAborted()
    try {
      await withSettings(context.query, { lock_timeout: LOCK_TIMEOUT }, work)
      return
    } catch (error) {
      if (!lostTheRace(error) || tries >= MAX_TRIES) throw error
    }
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS)
    await sleepUnlessAborted(systemClock, pauseMs * (0.8 + 0.4 * random()), context.signal)
  }
}

function lostTheRace(error: unknown): boolean {
  const code = databaseErrorCode(error)
  return code === '55P03' || code === '40P01'
}
