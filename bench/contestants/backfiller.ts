import type { Work } from './work.js'

/** One way to change every row of the table that is backfilled. */
export interface Backfiller<Table> {
  readonly key: string
  readonly title: string
  /** Changes the whole table in one statement, which is cancelled when the work is stopped. */
  readonly wholeTable?: boolean
  /**
   * Changes all rows and tells `work` of every batch. With `passes` it begins anew whenever it is through; it ends when
   * `work` is stopped, after the statement that is running.
   */
  run(table: Table, work: Work, options?: { readonly passes?: boolean }): Promise<void>
}
