import { NoAnswerError } from '../errors.js'
import type { Lease } from '../queue/lease.js'
import type { QueueStore } from '../queue/queue-store.js'

// How long the end of a batch waits for a beat that is under way.
const LAST_BEAT_MS = 1_000

/**
 * Renews a lease while its batch runs longer than the lease lasts, and says so when it is lost. It runs on the real
 * clock, for the lease expires by the database's, which is real too. What it returns ends it, and resolves when no beat
 * is under way any more.
 */
export function startHeartbeat<Tx>(
  store: QueueStore<Tx>,
  lease: Lease,
  leaseMs: number,
  onLost: () => void,
): () => Promise<void> {
  let beating: Promise<void> | null = null
  const ended = new AbortController()
  const timer = setInterval(() => {
    if (beating) return
    beating = store
      .renew(lease, leaseMs, ended.signal)
      .then((ours) => {
        if (!ours) onLost()
      })
      // A beat that can't be sent isn't the end: the fence decides when the batch wants to commit. But a server that
      // was silent for a whole lease won't answer the batch either.
      .catch((error: unknown) => {
        if (error instanceof NoAnswerError) onLost()
      })
      .finally(() => {
        beating = null
      })
  }, leaseMs / 3)
  timer.unref()
  return async () => {
    clearInterval(timer)
    // Cancelled only when it has to wait: a cancelled statement costs its connection.
    const patience = setTimeout(() => ended.abort(), LAST_BEAT_MS)
    await beating
    clearTimeout(patience)
  }
}
