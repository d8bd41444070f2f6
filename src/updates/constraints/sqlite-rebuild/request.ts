import type { Query } from '../../../databases/database.js'
import type { TableName } from '../../../databases/identifier.js'
import type { Constraint, OnViolation } from '../constraint.js'

/** A constraint for a table of SQLite, and what to do with the rows that violate it. */
export interface SqliteRebuildRequest {
  /** Null for a constraint without a name. */
  readonly constraintName: string | null
  readonly table: TableName
  readonly constraint: Constraint
  readonly onViolation: OnViolation
  /** More violating rows than this are refused, and nothing is changed. Default: any number is repaired. */
  readonly maxViolations?: number
  /** Where deleted rows are kept: a table with the same columns. */
  readonly keepIn?: TableName
  /** The whole new `CREATE TABLE`, with the constraint in it; columns may stand in another order. */
  readonly newTableSql?: string
  /** `'rebuild'` also where `ALTER TABLE` could do it, for instance to give a NOT NULL its name. Default `'auto'`. */
  readonly method?: 'auto' | 'rebuild'
  /** Runs in the same transaction just before it is committed, also when the constraint is there already. */
  readonly inTransaction?: (query: Query) => Promise<void>
}
