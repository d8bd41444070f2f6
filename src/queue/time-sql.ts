import type { Dialect } from '../databases/database.js'

/** For how long a reason is believed that came with a batch, in ms: the next batch brings another. */
export const BELIEVED_MS = 2_000

/** The database's own clock in SQL. Leases and back-offs are compared by it alone: clocks of runners may differ. */
export interface TimeSql {
  readonly now: string
  /** Now plus a placeholder's milliseconds. */
  after(placeholder: string): string
  /** A time as ISO text in UTC with milliseconds. */
  text(column: string): string
}

const POSTGRES: TimeSql = {
  // clock_timestamp(), for now() stands still within a transaction.
  now: 'clock_timestamp()',
  after: (placeholder) => `clock_timestamp() + ${placeholder}::float8 * INTERVAL '1 millisecond'`,
  text: (column) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
}

const SQLITE: TimeSql = {
  now: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
  after: (placeholder) => `strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (${placeholder} / 1000.0) || ' seconds')`,
  text: (column) => column,
}

export function timeSql(dialect: Dialect): TimeSql {
  return dialect === 'postgres' ? POSTGRES : SQLITE
}

/** A JSON array parameter as a relation of one column, `name`. */
export function namesOf(placeholder: string, dialect: Dialect): string {
  return dialect === 'postgres'
    ? `(SELECT json_array_elements_text(${placeholder}::json) AS name)`
    : `(SELECT value AS name FROM json_each(${placeholder}))`
}
