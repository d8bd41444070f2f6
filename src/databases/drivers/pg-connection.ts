import { PoolExhaustedError } from '../../errors.js'
import type { PgClient } from './pg-client.js'
import type { PgPool } from './pg-options.js'

/** How long a server may be silent after it was told to cancel a statement, in ms, before its connection is given up. */
export const SILENCE_MS = 5_000

interface Connecting {
  connect(): Promise<PgClient>
  /** Who waits for a connection because all are in use. */
  readonly waitingCount?: number
}

const heard = new WeakSet<PgPool>()
const ignore = () => {}

/**
 * Hears the errors of a pool that nobody else would hear, for one of them ends the process. Whoever has a connection
 * learns of its end by what he asks.
 */
export function hearErrorsOf(pool: PgPool): void {
  // Of an idle connection that the server closes.
  if (pool.listenerCount('error') === 0) pool.on('error', ignore)
  if (heard.has(pool)) return
  heard.add(pool)
  // Of a new connection that the server ends at once: the pool has stopped listening to it, and who gets it, by a promise,
  // can't listen yet.
  pool.on('connect', (client) => client.on('error', ignore))
}

/** A connection of the pool, unless `signal` aborts first: connecting through a dead network takes for ever. */
export async function connectUnlessAborted(pool: Connecting, signal: AbortSignal | undefined): Promise<PgClient> {
  const connecting = pool.connect()
  if (!signal) return connecting
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () =>
      reject((pool.waitingCount ?? 0) > 0 ? new PoolExhaustedError(signal.reason) : (signal.reason as Error))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([connecting, aborted])
  } catch (error) {
    connecting.then(
      (late) => late.release(),
      () => {},
    )
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/**
 * Watches a connection whose statement was cancelled. When not one byte has come from the server after `silenceMs`, it
 * is half open, and is destroyed: whoever waits for an answer gets an error. What it returns ends the watch.
 */
export function giveUpWhenSilent(client: PgClient, silenceMs: number): () => void {
  const stream = (client as PgInternals).connection?.stream
  const before = stream?.bytesRead
  const timer = setTimeout(() => {
    if (stream?.bytesRead === before) stream?.destroy?.()
  }, silenceMs)
  return () => clearTimeout(timer)
}

/**
 * Watches a connection while it is in use. When a statement has been without one byte of an answer for a while, others
 * are asked whether its backend is at work (`isIdle`); one that waits for us, or is gone, will never answer: the
 * connection is half open, and is destroyed. What it returns ends the watch.
 */
export function watchForHalfOpen(client: PgClient, isIdle: () => Promise<boolean>): () => void {
  const internals = client as PgInternals
  const stream = internals.connection?.stream
  let before: number | undefined
  const timer = setInterval(() => {
    const waiting = (internals._getActiveQuery ? internals._getActiveQuery() : internals.activeQuery) != null
    const read = waiting ? stream?.bytesRead : undefined
    const silent = read !== undefined && read === before
    before = read
    if (!silent) return
    isIdle().then(
      (idle) => {
        if (idle && stream?.bytesRead === read) stream?.destroy?.()
      },
      () => {},
    )
  }, SILENCE_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** $1 pid, $2 ms: returns no row when the backend is gone, or has waited for its client for that long. */
export const BACKEND_AT_WORK = `
SELECT 1 AS found
FROM pg_stat_activity
WHERE pid = $1
  AND NOT (state LIKE 'idle%' AND state_change < clock_timestamp() - $2::float8 * INTERVAL '1 millisecond')`

// What is looked for beside the public methods; where it is missing, it is done without.
interface PgInternals {
  readonly connection?: { readonly stream?: { readonly bytesRead?: number; destroy?(): void } }
  _getActiveQuery?(): unknown
  /** Before `pg` 8.16; later ones warn of it. */
  readonly activeQuery?: unknown
}
