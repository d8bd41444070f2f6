import { describe, wholeNumberProblems } from '../../options.js'
import type { Logger } from '../../observe/logger.js'
import type { UpdateIdentity } from '../definition.js'
import { columnListProblems, walkProblems, type WalkOptions } from '../walk/options.js'

/** What a row is to become: column → new value. Nothing, or a column left out or undefined, leaves it as it is. */
export type RowChange = object | null | undefined | void

/** What `map` and `mapBatch` are given beside the rows. */
export interface RowContext {
  /** Aborts when the batch is to be given up. */
  readonly signal: AbortSignal
  readonly log: Logger
  readonly update: UpdateIdentity
}

export interface RowBackfillOptions<Row extends object> extends WalkOptions {
  /** The columns to read for `map`. */
  readonly columns: readonly (keyof NoInfer<Row> & string)[]
  /**
   * Computes the columns to change of one row; values are what the driver would take as parameters (on PostgreSQL a
   * string for a JSON column is its JSON text). Either this or `mapBatch`.
   */
  readonly map?: (row: Row, context: RowContext) => RowChange | Promise<RowChange>
  /** The same for all rows of a batch at once: an array with one entry a row, in their order. */
  readonly mapBatch?: (
    rows: readonly Row[],
    context: RowContext,
  ) => readonly RowChange[] | Promise<readonly RowChange[]>
  /**
   * How many rows of this update may be in `background_update_quarantine` at a time; one more fails the update at once.
   * Default 0: the first row that fails does.
   */
  readonly maxQuarantined?: number
}

export const ROW_BACKFILL_OPTIONS = ['columns', 'map', 'mapBatch', 'maxQuarantined']

export function rowBackfillProblems<Row extends object>(options: RowBackfillOptions<Row>): string[] {
  const { columns, map, mapBatch, maxQuarantined } = options ?? {}
  const problems = [...walkProblems(options), ...columnListProblems('columns', columns)]
  if (map === undefined && mapBatch === undefined) problems.push('map or mapBatch is needed')
  if (map !== undefined && mapBatch !== undefined) problems.push('map and mapBatch exclude each other')
  for (const [name, value] of Object.entries({ map, mapBatch })) {
    if (value !== undefined && typeof value !== 'function') {
      problems.push(`${name} must be a function, not ${describe(value)}`)
    }
  }
  return [...problems, ...wholeNumberProblems('maxQuarantined', maxQuarantined, 0)]
}
