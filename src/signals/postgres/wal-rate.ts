import type { SignalSample } from '../../pacing/reading.js'
import { CounterWindow } from '../counter-window.js'
import type { Signal, SignalContext } from '../signal.js'
import { bytesText, count } from '../units.js'
import { against } from '../verdict.js'

// Asked every second: pg_settings, which would tell the units, works out all settings to show one.
const WAL = `
  SELECT
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS written,
    pg_size_bytes(current_setting('max_wal_size'))::float8 AS max_wal_size,
    extract(epoch FROM current_setting('checkpoint_timeout')::interval)::float8 AS checkpoint_timeout,
    current_setting('checkpoint_completion_target')::float8 AS completion_target,
    current_setting('server_version_num')::int AS version`

// Checkpoints that were asked for: because the WAL was full, or by a person or a backup. Renamed in version 17.
const REQUESTED = `SELECT checkpoints_req::float8 AS requested FROM pg_stat_bgwriter`
const REQUESTED_17 = `SELECT num_requested::float8 AS requested FROM pg_stat_checkpointer`

interface Wal {
  readonly written: number
  readonly max_wal_size: number
  readonly checkpoint_timeout: number
  readonly completion_target: number
  readonly version: number
}

// Batches come and go within a second; a checkpoint's budget is a matter of minutes.
const WINDOW_MS = 10_000

/**
 * WAL per second against what the server can take without a checkpoint before its time: at `share` of that rate there
 * is one checkpoint every `checkpoint_timeout`, above it they follow one another, and everybody's commits stall.
 */
export function walRate(share: number): Signal {
  return {
    name: 'wal rate',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open() {
      const rate = new CounterWindow(WINDOW_MS)
      const checkpoints = new ForcedCheckpoints()
      return async ({ query, nowMs }) => {
        const { rows } = await query<Wal>(WAL)
        const wal = rows[0]
        if (wal === undefined) return null
        const forced = await checkpoints.seen(query, wal.version)
        const perSecond = rate.perSecond(wal.written, nowMs)
        return perSecond === null ? null : judge(perSecond, checkpointBudget(wal) * share, forced)
      }
    },
  }
}

/**
 * Bytes per second. A checkpoint is requested when the WAL since the last one reaches max_wal_size / (1 +
 * checkpoint_completion_target) (CalculateCheckpointSegments in PostgreSQL's xlog.c).
 */
export function checkpointBudget(wal: Omit<Wal, 'written' | 'version'>): number {
  return wal.max_wal_size / (1 + wal.completion_target) / wal.checkpoint_timeout
}

function judge(perSecond: number, budget: number, forced: number): SignalSample {
  const rate = `${bytesText(perSecond)}/s of WAL (limit ${bytesText(budget)}/s by max_wal_size and checkpoint_timeout)`
  return against(perSecond, budget, `${rate}; ${count(forced, 'forced checkpoint')} since it is watched`)
}

class ForcedCheckpoints {
  #last: number | null = null
  #sum = 0

  /** How many since the first look. */
  async seen(query: SignalContext['query'], version: number): Promise<number> {
    const { rows } = await query<{ requested: number }>(version >= 170_000 ? REQUESTED_17 : REQUESTED)
    const requested = rows[0]?.requested ?? 0
    if (this.#last !== null) this.#sum += Math.max(requested - this.#last, 0)
    this.#last = requested
    return this.#sum
  }
}
