import type { SignalSample } from '../../pacing/reading.js'
import type { Signal, SignalContext } from '../signal.js'
import { bytesText, count, durationText } from '../units.js'
import { against, unknown, worst } from '../verdict.js'

export interface ReplicationLimits {
  /** In ms. */
  readonly lagMs: number
  /** In bytes of WAL. */
  readonly lagBytes: number
  /** Replicas that may lag, by their application_name, as one that is delayed on purpose. */
  readonly ignored: readonly string[]
}

// Who only receives WAL, as pg_receivewal, replays nothing: what it has written counts. A base backup isn't a replica.
const REPLICAS = `
  SELECT
    application_name AS name,
    pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS written,
    pg_wal_lsn_diff(coalesce(replay_lsn, write_lsn), '0/0')::float8 AS replayed,
    extract(epoch FROM replay_lag)::float8 * 1000 AS lag_ms,
    state IS NULL AS hidden
  FROM pg_stat_replication
  WHERE state IS DISTINCT FROM 'backup'`

export interface Replica {
  readonly name: string
  /** End of the WAL, in bytes. */
  readonly written: number
  /** How far the replica is in it; null when it doesn't tell. */
  readonly replayed: number | null
  /** As the server measured it last: it doesn't grow while nothing is replayed, and is null on an idle server. */
  readonly lag_ms: number | null
  readonly hidden: boolean
}

/** How far each replica is behind, in time and in WAL: a hard stop, for a lag has no bound once it begins. */
export function replicationLag(limits: ReplicationLimits): Signal {
  return {
    name: 'replication lag',
    kind: 'hard stop',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open() {
      const written = new WrittenWal()
      return (context) => sample(context, written, limits)
    },
  }
}

async function sample(
  { query, nowMs }: SignalContext,
  written: WrittenWal,
  limits: ReplicationLimits,
): Promise<SignalSample> {
  const { rows } = await query<Replica>(REPLICAS)
  const replicas = rows.filter(({ name }) => !limits.ignored.includes(name))
  if (replicas[0] === undefined) return against(0, limits.lagMs, 'no replica is connected')
  if (replicas.every(({ hidden }) => hidden)) {
    return unknown(`${count(replicas.length, 'replica')} can't be looked into: grant pg_read_all_stats`)
  }
  written.saw(replicas[0].written, nowMs)
  const samples = replicas.flatMap((replica) => {
    if (replica.replayed === null) return []
    return [lagOf(replica, written.behindMs(replica.replayed, nowMs), limits)]
  })
  return worst(samples) ?? unknown('no replica tells how far it is')
}

/** The worse of time and WAL. `behindMs` is our own measure of the time, which also grows when nothing is replayed. */
export function lagOf(replica: Replica, behindMs: number, limits: ReplicationLimits): SignalSample {
  const bytes = Math.max(replica.written - (replica.replayed ?? replica.written), 0)
  const ms = bytes === 0 ? 0 : Math.max(behindMs, replica.lag_ms ?? 0)
  const label = `replica "${replica.name}" is`
  const time = against(ms, limits.lagMs, `${label} ${durationText(ms)} behind (limit ${durationText(limits.lagMs)})`)
  const size = against(
    bytes,
    limits.lagBytes,
    `${label} ${bytesText(bytes)} of WAL behind (limit ${bytesText(limits.lagBytes)})`,
  )
  // The value is in ms, whichever of the two is nearer to its limit.
  return (size.utilisation ?? 0) > (time.utilisation ?? 0) ? { ...size, value: ms } : time
}

// A lag of more than this is told as this much at least.
const LOOKS_KEPT = 600

/** When the end of the WAL was where: how long ago the primary wrote what a replica hasn't replayed yet. */
export class WrittenWal {
  // Invariant: in the order of time, `bytes` strictly growing.
  #looks: { readonly atMs: number; readonly bytes: number }[] = []

  saw(bytes: number, atMs: number): void {
    const last = this.#looks.at(-1)
    if (last !== undefined && bytes < last.bytes) this.#looks = []
    if (last !== undefined && bytes === last.bytes) return
    this.#looks.push({ atMs, bytes })
    if (this.#looks.length > LOOKS_KEPT) this.#looks.shift()
  }

  /** In ms, from below: since the first look at which more was written than is `replayed`. */
  behindMs(replayed: number, nowMs: number): number {
    const first = this.#looks.find(({ bytes }) => bytes > replayed)
    return first === undefined ? 0 : nowMs - first.atMs
  }
}
