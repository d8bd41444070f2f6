import { setTimeout as delay } from 'node:timers/promises'
import type { BackgroundUpdater } from '../../updater.js'
import type { RunView } from './run-view.js'

/** Shows the status to a view again and again, until `signal` aborts and once more after it. */
export async function watchStatus(
  updaters: readonly BackgroundUpdater<never>[],
  view: RunView,
  signal: AbortSignal,
): Promise<void> {
  if (view.lookMs === null) return
  for (;;) {
    const last = signal.aborted
    for (const updater of updaters) {
      // A database that is away has its own lines in the log; the picture stays as it was.
      await showStatus(updater, view).catch(() => {})
    }
    if (last) return
    await delay(view.lookMs, undefined, { signal }).catch(() => {})
  }
}

async function showStatus(updater: BackgroundUpdater<never>, view: RunView): Promise<void> {
  await view.look(updater.databaseName, await updater.databaseStatus())
}
