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
  const signal = AbortSignal.any([late.signal, stop])
  const { promise: aborted, reject } = rejectable()
  const onAbort = () => reject(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work(signal), aborted])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

function rejectable(): { promise: Promise<never>; reject: (error: Error) => void } {
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<never>((_, fail) => {
    reject = fail
  })
  return { promise, reject }
}
