import { CounterWindow } from '../counter-window.js'
import type { Signal } from '../signal.js'
import { bytesText } from '../units.js'
import { against } from '../verdict.js'

// Looks at every file of the database.
const SIZE = `SELECT pg_database_size(current_database())::float8 AS bytes`

const SECONDS_AN_HOUR = 3_600

/** How fast the database grows, in bytes an hour over the last ten minutes; `limit` in bytes an hour. */
export function databaseGrowth(limit: number): Signal {
  return {
    name: 'database growth',
    kind: 'gauge',
    intervalMs: 15_000,
    timeoutMs: 5_000,
    shared: true,
    open() {
      const size = new CounterWindow(600_000)
      return async ({ query, nowMs }) => {
        const { rows } = await query<{ bytes: number }>(SIZE)
        const perSecond = size.perSecond(rows[0]?.bytes ?? 0, nowMs)
        if (perSecond === null) return null
        const growth = perSecond * SECONDS_AN_HOUR
        return against(growth, limit, `the database grows by ${bytesText(growth)}/h (limit ${bytesText(limit)}/h)`)
      }
    },
  }
}
