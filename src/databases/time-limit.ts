import { NoAnswerError, PoolExhaustedError } from '../errors.js'

/**
 * Runs `work` with a signal that aborts after `ms`. A connection can be half open: the server, or what stands between,
 * is gone without a word, and a statement would wait for its answer for ever.
 *
 * @throws NoAnswerError when the time was over
 */
export async function withinTime<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(new NoAnswerError(ms)), ms)
  try {
    return await work(limit.signal)
  } catch (error) {
    const said = error instanceof NoAnswerError || error instanceof PoolExhaustedError
    throw limit.signal.aborted && !said ? new NoAnswerError(ms, error) : error
  } finally {
    clearTimeout(timer)
  }
}
