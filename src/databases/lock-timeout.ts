import { sleepUnlessAborted, type Clock } from '../clock.js'
import { databaseErrorCode } from './error-class.js'

/**
 * How long a change of the schema may wait for its lock, in ms. While it waits, every later statement on the table
 * waits behind it, so this is the longest stall that it can cause.
 */
export const LOCK_TIMEOUT_MS = 400

/** How often it is tried before it is given up. */
export const MAX_LOCK_TRIES = 30

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

/** Time and randomness of the pauses between two tries. */
export interface LockRetries {
  readonly clock: Clock
  /** From 0 to 1, for the jitter. */
  readonly random: () => number
  readonly signal?: AbortSignal
}

/**
 * Runs a change of the schema until it gets its lock: up to 30 tries, 0.5 to 30 s apart, with a jitter of 20 % so that
 * two processes don't meet again and again. `attempt` sets the `lock_timeout` itself. Whoever holds the lock is left
 * alone.
 *
 * @throws the error of the last try; any error that isn't about a lock at once
 */
export async function retryForLock<T>(attempt: () => Promise<T>, retries: LockRetries): Promise<T> {
  const { clock, random, signal = NEVER } = retries
  for (let tries = 1; ; tries += 1) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (!isLockError(error) || tries >= MAX_LOCK_TRIES) throw error
    }
    await sleepUnlessAborted(clock, pauseMs(tries, random()), signal)
  }
}

function pauseMs(tries: number, random: number): number {
  const jittered = FIRST_PAUSE_MS * 2 ** (tries - 1) * (0.8 + 0.4 * random)
  return Math.round(Math.min(Math.max(jittered, FIRST_PAUSE_MS), LONGEST_PAUSE_MS))
}

/** lock_not_available, or the victim of a deadlock: somebody else was faster. */
export function isLockError(error: unknown): boolean {
  const code = databaseErrorCode(error)
  return code === '55P03' || code === '40P01'
}

const NEVER = new AbortController().signal
