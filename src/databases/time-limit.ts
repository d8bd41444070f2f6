import { NoAnswerError, PoolExhaustedError } from '../errors.js'

/**
 * Runs `work` with a signal that aborts after `ms`, and with `outer`. A connection can be half open: the server, or what
 * stands between, is gone without a word, and a statement would wait for its answer for ever.
 *
 * @throws NoAnswerError when the time was over
 */
export async function withinTime<T>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> {
  outer?.throwIfAborted()
  const limit = new AbortController()
  const passOn = () => limit.abort(outer?.reason)
  outer?.addEventListener('abort', passOn, { once: true })
  const timer = setTimeout(() => limit.abort(new NoAnswerError(ms)), ms)
  try {
    return await work(limit.signal)
  } catch (error) {
    const said = error instanceof NoAnswerError || error instanceof PoolExhaustedError || outer?.aborted === true
    throw limit.signal.aborted && !said ? new NoAnswerError(ms, error) : error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', passOn)
  }
}
