import type { ChangedRow } from './map-rows.js'

/** Writes rows of a table. */
export interface RowWriter {
  /** Writes rows that change the same columns. Resolves to how many were changed. */
  write(columns: readonly string[], rows: readonly ChangedRow[]): Promise<number>
  /** How many rows of the table the keys find. */
  found(rows: readonly ChangedRow[]): Promise<number>
}
