import type { WalState } from '../../databases/wal-checkpoints.js'
import type { SignalSample } from '../../pacing/reading.js'
import type { Signal } from '../signal.js'
import { bytesText } from '../units.js'
import { against } from '../verdict.js'

// What the checkpoints between batches found is fresh enough for this long, in ms.
const FRESH_MS = 1_000

/**
 * How much of the write-ahead log can't be copied into the database because a reader still needs what is there: the log
 * grows without bound as long as he stays, and everybody reads more slowly.
 */
export function walSize(limitBytes: number): Signal {
  return {
    name: 'wal size',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 5_000,
    shared: true,
    open:
      ({ checkpoints, batchRunning }) =>
      async ({ nowMs }) => {
        if (checkpoints === null) return null
        const { state } = checkpoints
        // While the work is held nobody else looks; the one connection is free then.
        if ((state === null || nowMs - state.atMs > FRESH_MS) && !batchRunning()) await checkpoints.look()
        return judge(checkpoints.state, limitBytes)
      },
  }
}

function judge(state: WalState | null, limitBytes: number): SignalSample {
  if (state === null) return against(0, limitBytes, 'the database keeps no write-ahead log')
  const { behindBytes, logBytes } = state
  const log = `of ${bytesText(logBytes)} of write-ahead log`
  const starved = behindBytes > 0 ? `${bytesText(behindBytes)} ${log} wait for a reader` : `nothing ${log} waits`
  return against(behindBytes, limitBytes, `${starved} (limit ${bytesText(limitBytes)})`)
}
