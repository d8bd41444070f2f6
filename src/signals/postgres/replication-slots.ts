import type { SignalSample } from '../../pacing/reading.js'
import type { Signal } from '../signal.js'
import { bytesText } from '../units.js'
import { against, worst } from '../verdict.js'

const SLOTS = `
  SELECT
    slot_name AS name,
    active,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS retained,
    pg_size_bytes(current_setting('max_slot_wal_keep_size'))::float8 AS kept
  FROM pg_replication_slots
  WHERE restart_lsn IS NOT NULL`

interface Slot {
  readonly name: string
  readonly active: boolean
  readonly retained: number
  /** The server invalidates a slot that retains more than this many bytes; negative when it never does. */
  readonly kept: number | null
}

/**
 * WAL that replication slots keep from being recycled: a slot whose consumer is gone fills the disk, and the faster we
 * write, the sooner. The limit is that of a replica, which is what a slot stands for, connected or not; where the server
 * gives a slot up at some size, it is no more than half of that.
 */
export function replicationSlots(limitBytes: number): Signal {
  return {
    name: 'replication slots',
    kind: 'hard stop',
    intervalMs: 2_000,
    timeoutMs: 1_000,
    shared: true,
    open:
      () =>
      async ({ query }) => {
        const { rows } = await query<Slot>(SLOTS)
        return worst(rows.map((slot) => judge(slot, limitBytes))) ?? against(0, limitBytes, 'no slot retains WAL')
      },
  }
}

function judge({ name, active, retained, kept }: Slot, limitBytes: number): SignalSample {
  const limit = kept !== null && kept > 0 ? Math.min(limitBytes, kept / 2) : limitBytes
  const slot = `${active ? 'slot' : 'slot without a consumer'} "${name}"`
  const bytes = Math.max(retained, 0)
  return against(bytes, limit, `${slot} retains ${bytesText(bytes)} of WAL (limit ${bytesText(limit)})`)
}
