import { sleepUnlessAborted, systemClock } from '../../clock.js'
import type { Signal } from '../signal.js'

// Changes for a connection when another one has committed, and never by its own commits.
const VERSION = 'PRAGMA data_version'
// Between the first two looks, in ms, before anything is said: whoever writes all the time commits within it. Without
// that, a whole second of full batches would come before the look that sees him.
const FIRST_LOOKS_APART_MS = 15
// Somebody is there: never as much as a reason to stop, which others of the signals give.
const PRESENT = 0.7

/**
 * Whether somebody else writes to the file: has another connection committed since the last look? The value is 1 or 0.
 * Readers don't count, for a batch doesn't hold them in WAL mode.
 */
export function sqliteForeground(): Signal {
  return {
    name: 'foreground',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open() {
      let before: number | null = null
      return async ({ query, signal }) => {
        const version = async () => Number((await query<{ data_version: number }>(VERSION)).rows[0]?.data_version)
        if (before === null) {
          before = await version()
          await sleepUnlessAborted(systemClock, FIRST_LOOKS_APART_MS, signal)
        }
        const now = await version()
        const present = now !== before
        before = now
        return {
          value: present ? 1 : 0,
          verdict: present ? 'pressure' : 'calm',
          utilisation: present ? PRESENT : 0,
          why: present ? 'others write to the file' : 'nobody else writes to the file',
        }
      }
    },
  }
}
