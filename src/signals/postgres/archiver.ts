import type { SignalSample } from '../../pacing/reading.js'
import type { Signal, SignalContext } from '../signal.js'
import { count } from '../units.js'
import { against, unknown } from '../verdict.js'

const ARCHIVER = `
  SELECT
    current_setting('archive_mode') AS mode,
    pg_walfile_name(pg_current_wal_lsn()) AS current,
    last_archived_wal AS archived,
    last_failed_wal AS failed,
    failed_count > 0 AND coalesce(last_failed_time > last_archived_time, TRUE) AS failing,
    pg_size_bytes(current_setting('wal_segment_size'))::float8 AS segment_bytes,
    has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE') AS may_list
  FROM pg_stat_archiver`

// What waits, counted one by one; only for superusers and pg_monitor.
const READY = `
  SELECT count(*)::int AS waiting
  FROM pg_ls_archive_statusdir()
  WHERE name LIKE '%.ready'`

interface Archiver {
  readonly mode: string
  readonly current: string
  readonly archived: string | null
  readonly failed: string | null
  readonly failing: boolean
  readonly segment_bytes: number
  readonly may_list: boolean
}

/** Segments of WAL that wait for the archiver: they fill the disk of the primary when it fails or can't keep up. */
export function archiver(limit: number): Signal {
  return {
    name: 'archiver',
    kind: 'hard stop',
    intervalMs: 5_000,
    timeoutMs: 1_000,
    shared: true,
    open: () => (context) => sample(context, limit),
  }
}

async function sample({ query }: SignalContext, limit: number): Promise<SignalSample> {
  const { rows } = await query<Archiver>(ARCHIVER)
  const state = rows[0]
  if (state === undefined) return unknown('pg_stat_archiver is empty')
  if (state.mode === 'off') return against(0, limit, 'archiving is off')
  const waiting = segmentsWaiting(state) ?? (state.may_list ? await listed(query) : null)
  if (waiting === null) return unknown('the archiver has done nothing since its statistics were reset')
  const failing = state.failing && state.failed !== null ? `; it fails at ${state.failed}` : ''
  return against(waiting, limit, `${count(waiting, 'segment')} of WAL to be archived (limit ${limit})${failing}`)
}

async function listed(query: SignalContext['query']): Promise<number | null> {
  const { rows } = await query<{ waiting: number }>(READY)
  return rows[0]?.waiting ?? null
}

/** By the names of the files; null when the archiver never tried one. The segment being written doesn't wait. */
export function segmentsWaiting({
  current,
  archived,
  failed,
  segment_bytes: segmentBytes,
}: Pick<Archiver, 'current' | 'archived' | 'failed' | 'segment_bytes'>): number | null {
  const writing = segmentNumber(current, segmentBytes)
  const last = segmentNumber(archived, segmentBytes)
  if (writing === null) return null
  if (last !== null) return Math.max(writing - last - 1, 0)
  // It takes the oldest first, and fails at it for ever.
  const oldest = segmentNumber(failed, segmentBytes)
  return oldest === null ? null : Math.max(writing - oldest, 0)
}

/** 8 digits of timeline, 8 of log, 8 of segment, all hexadecimal; a backup's label goes on behind them. */
function segmentNumber(file: string | null, segmentBytes: number): number | null {
  const match = /^[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})/.exec(file ?? '')
  if (match === null) return null
  const [, log = '', segment = ''] = match
  return parseInt(log, 16) * (2 ** 32 / segmentBytes) + parseInt(segment, 16)
}
