import { underAny } from '../under-any.js'

/** A sample that took too long. */
export class SampleTimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`)
    this.name = new.target.name
  }
}

/**
 * Runs `work` for at most `timeoutMs`, or until `stop` aborts; then its signal aborts and the promise rejects, whether
 * `work` obeys or not.
 */
export async function withinTime<T>(
  timeoutMs: number,
  stop: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  stop.throwIfAborted()
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new SampleTimeoutError(timeoutMs)), timeoutMs)
  try {
    return await underAny([late.signal, stop], (signal) => Promise.race([work(signal), abortOf(signal)]))
  } finally {
    clearTimeout(timer)
  }
}

/** Rejects when the signal aborts. */
function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
