import type { ChangedRow } from './map-rows.js'

/** Writes rows that change the same columns. */
export interface RowWriter {
  /** Resolves to how many rows were changed. */
  write(rows: readonly ChangedRow[]): Promise<number>
  /** How many rows of the table the keys find. */
  found(rows: readonly ChangedRow[]): Promise<number>
}
