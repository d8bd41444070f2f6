import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/** Time for pauses and for measuring batches. Monotonic: it never jumps, whatever happens to the wall clock. */
export interface Clock {
  /** Milliseconds since some moment, with a fraction. */
  nowMs(): number
  /** Resolves after `ms`, or at once when `signal` aborts; it may then also reject. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A timer of Node that is longer than this ends at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  async sleep(ms, signal) {
    await delay(Math.min(ms, LONGEST_TIMER_MS), undefined, { signal, ref: true }).catch((error: unknown) => {
      if (!signal?.aborted) throw error
    })
  },
}

/** Sleeps on any clock, also one that ignores the signal, and resolves at once when the signal aborts. */
export async function sleepUnlessAborted(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  let onAbort = () => {}
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve
    signal.addEventListener('abort', onAbort, { once: true })
  })
  const slept = clock.sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
  try {
    await Promise.race([slept, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
