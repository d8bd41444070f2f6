import { quoteTable, tableLabel } from '../../databases/identifier.js'
import type { SignalSample } from '../../pacing/reading.js'
import type { Signal } from '../signal.js'
import { durationText } from '../units.js'
import { NOT_OURS } from './activity.js'

// Locks that only maintenance takes, held or waited for, on the table or a partition of it. Nothing here needs rights.
const LOCKS = `
  SELECT
    locks.pid,
    locks.mode,
    locks.granted,
    coalesce(activity.backend_type = 'autovacuum worker', FALSE) AS autovacuum
  FROM pg_locks AS locks
  JOIN pg_stat_activity AS activity USING (pid)
  WHERE locks.locktype = 'relation'
    AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND locks.relation IN (
      SELECT to_regclass($1)::oid
      UNION ALL
      SELECT relid FROM pg_partition_tree(to_regclass($1))
    )
    AND locks.mode IN (
      'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
    )
    AND ${NOT_OURS}`

interface Lock {
  readonly pid: number
  readonly mode: string
  readonly granted: boolean
  readonly autovacuum: boolean
}

// Not the lock that VACUUM, ANALYZE, VALIDATE and concurrent index builds run under, beside which batches go on.
const RUNS_BESIDE_BATCHES = 'ShareUpdateExclusiveLock'
// After this time of giving way to one and the same VACUUM, only the speed that we have is kept: it may take hours.
const PATIENCE_MS = 600_000

/**
 * Work on the very table that is being updated. DDL that waits, for us or for somebody else, holds up everybody behind
 * it, so no batch may queue there: stop. Beside a VACUUM or an index build the work slows down.
 */
export function maintenance(): Signal {
  return {
    name: 'maintenance',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open() {
      // Since when each process has been seen at work on the table.
      let since = new Map<number, number>()
      return async (context) => {
        const { table, query, nowMs } = context
        if (table === null) return calm('the update says of no table that it works on it')
        const { rows } = await query<Lock>(LOCKS, [quoteTable(table, 'postgres')])
        since = new Map(rows.map(({ pid }) => [pid, since.get(pid) ?? nowMs]))
        return judge(rows, (pid) => nowMs - (since.get(pid) ?? nowMs), tableLabel(table))
      }
    },
  }
}

export function judge(locks: readonly Lock[], ageMs: (pid: number) => number, table: string): SignalSample {
  // What conflicts with a batch, held or waited for: behind either, the next batch would queue.
  const inTheWay = locks.find(({ mode }) => mode !== RUNS_BESIDE_BATCHES)
  if (inTheWay) {
    return stop(`${who(inTheWay)} ${inTheWay.granted ? 'holds' : 'waits for'} ${inTheWay.mode} on ${table}`)
  }
  const beside = locks[0]
  if (beside === undefined) return calm(`no maintenance of ${table}`)
  const age = ageMs(beside.pid)
  return {
    value: locks.length,
    verdict: 'pressure',
    utilisation: age > PATIENCE_MS ? 0.75 : 0.9,
    why: `${who(beside)} works on ${table}, since ${durationText(age)} or longer`,
  }
}

function who({ pid, autovacuum }: Lock): string {
  return autovacuum ? `autovacuum (pid ${pid})` : `pid ${pid}`
}

function stop(why: string): SignalSample {
  return { value: 1, verdict: 'stop', utilisation: 1.1, why }
}

function calm(why: string): SignalSample {
  return { value: 0, verdict: 'calm', utilisation: 0, why }
}
