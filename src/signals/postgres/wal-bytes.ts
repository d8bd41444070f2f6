import type { Signal } from '../signal.js'

const WRITTEN = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 AS written`

/** All WAL that the server ever wrote, in bytes: no gauge of its own, budgets count by it. */
export function walBytes(): Signal {
  return {
    name: 'wal bytes',
    kind: 'gauge',
    intervalMs: 1_000,
    timeoutMs: 1_000,
    shared: true,
    open:
      () =>
      async ({ query }) => {
        const { rows } = await query<{ written: number }>(WRITTEN)
        const value = rows[0]?.written ?? null
        return value === null ? null : { value, verdict: 'calm', utilisation: 0, why: 'a counter, for budgets' }
      },
  }
}
