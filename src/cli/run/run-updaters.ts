import { NeedsPersonError } from '../../errors.js'
import type { BackgroundUpdater } from '../../updater.js'
import { ExitCode } from '../exit-codes.js'
import { listenForStop } from '../stop-signals.js'
import type { RunView } from './run-view.js'
import { untilFinished } from './until-finished.js'
import { watchStatus } from './watch-status.js'

export interface RunOptions {
  /** Ends when nothing of it can run any more: the names and what they depend on, or null for the whole queue. */
  readonly once: { readonly names: readonly string[] | null } | null
}

// Longer than anybody waits, and the longest that a timer of Node takes.
const NO_LIMIT_MS = 2 ** 31 - 1

/**
 * Runs the queues until they are finished or somebody stops it: the first SIGINT or SIGTERM lets the running batch end,
 * and so does output that nobody reads any more; the second cancels it in the server.
 *
 * @throws NeedsPersonError, DisabledError, HeldByOthersError with `once`; UpdaterAbortedError in strict mode
 */
export async function runUpdaters(
  updaters: readonly BackgroundUpdater<never>[],
  view: RunView,
  { once }: RunOptions,
): Promise<ExitCode> {
  const stop = listenForStop()
  const over = new AbortController()
  const stopNow = () => {
    view.log('cancelling what runs, which is rolled back; once more ends the process at once')
    void Promise.allSettled(updaters.map((updater) => updater.stop({ graceMs: 0 })))
  }
  for (const updater of updaters) view.watch(updater)
  const watching = watchStatus(updaters, view, over.signal)
  const aborted = abortOf(updaters)
  stop.now.addEventListener('abort', stopNow)
  try {
    await Promise.all(updaters.map((updater) => updater.start()))
    const finished =
      once === null ? never() : allFinished(updaters, once.names, AbortSignal.any([stop.signal, over.signal]))
    // Whoever loses the race is still heard: a rejection that nobody waits for would end the process.
    finished.catch(() => {})
    await Promise.race([finished, aborted, whenAborted(stop.signal)])
    if (!stop.signal.aborted) return ExitCode.DONE
    const running = await runningNow(updaters)
    if (running !== null && !stop.now.aborted) view.log(`stopping: ${running} finishes its batch; once more cancels it`)
    return stop.exitCode
  } finally {
    await Promise.allSettled(updaters.map((updater) => updater.stop({ graceMs: NO_LIMIT_MS })))
    over.abort()
    await watching
    view.end()
    stop.dispose()
  }
}

// Each database goes on to its own end, also when another is stuck; then what needs a person is told in one.
async function allFinished(
  updaters: readonly BackgroundUpdater<never>[],
  names: readonly string[] | null,
  signal: AbortSignal,
): Promise<void> {
  const ends = await Promise.allSettled(updaters.map((updater) => untilFinished(updater, names, signal)))
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
  if (errors.length === 0) return
  const stuck = errors.filter((error) => error instanceof NeedsPersonError)
  throw stuck.length > 1 ? new NeedsPersonError(stuck.flatMap(({ updates }) => updates)) : (stuck[0] ?? errors[0])
}

/** Rejects when strict mode gives an updater up. */
function abortOf(updaters: readonly BackgroundUpdater<never>[]): Promise<never> {
  const aborted = new Promise<never>((_, reject) => {
    for (const updater of updaters) {
      updater.on('updater:stop', ({ error }) => {
        if (error) reject(error)
      })
    }
  })
  aborted.catch(() => {})
  return aborted
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function never(): Promise<never> {
  return new Promise(() => {})
}

async function runningNow(updaters: readonly BackgroundUpdater<never>[]): Promise<string | null> {
  for (const updater of updaters) {
    const current = await updater.currentUpdate().catch(() => null)
    if (current !== null) return current
  }
  return null
}
