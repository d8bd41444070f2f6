import type { Signal } from '../signal.js'

// Changes for a connection when another one has committed, and never by its own commits.
const VERSION = 'PRAGMA data_version'
// Between the first two looks, in ms: whoever writes all the time commits within it. Without that, a whole second of full
// batches would come before the look that sees him; until then they are small.
const SECOND_LOOK_MS = 25
// A look is a few µs, and whoever begins to write is in the way of full batches until he is seen.
const INTERVAL_MS = 200
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
    intervalMs: INTERVAL_MS,
    timeoutMs: 1_000,
    secondLookMs: SECOND_LOOK_MS,
    shared: true,
    open() {
      let before: number | null = null
      return async ({ query }) => {
        const { rows } = await query<{ data_version: number }>(VERSION)
        const now = Number(rows[0]?.data_version)
        if (before === null) {
          before = now
          return null
        }
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
