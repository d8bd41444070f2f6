import type { Dialect, Query } from '../../databases/database.js'

/** What an update would do to rows, found without changing any. */
export interface Preview {
  /** Deleted, moved into another table, or changed. */
  readonly does: 'delete' | 'move' | 'change'
  /** The table, with its schema. */
  readonly table: string
  /** How many rows were found. */
  readonly rows: number
  /** The whole rest of the table was looked at; else there may be more rows than were found. */
  readonly exact: boolean
  /** How many rows were looked at. */
  readonly lookedAt: number
  /** The first of the rows that were found: column → value as text, shortened. */
  readonly sample: readonly Readonly<Record<string, string | null>>[]
}

/** What finding the rows takes. */
export interface PreviewContext {
  readonly dialect: Dialect
  /** Stops at more rows than this. */
  readonly limit: number
  /** Time is left. */
  hasTime(): boolean
  /** Runs a few statements that the server ends when the time is over; then it resolves to null. */
  step<T>(work: (query: Query) => Promise<T>): Promise<T | null>
}

const VERBS = { delete: 'deletes', move: 'moves', change: 'changes' }

/** A preview in words. */
export function previewSentence({ does, table, rows, exact, lookedAt }: Preview): string {
  const found = `${rows} ${rows === 1 ? 'row' : 'rows'} of ${table}`
  if (exact) return `it ${VERBS[does]} ${found}`
  return `it ${VERBS[does]} at least ${found}: ${lookedAt} rows were looked at, which is not all`
}
