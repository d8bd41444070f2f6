import { requireColumns, type TableDescription } from '../../databases/catalogue/table.js'
import { SchemaMismatchError } from '../../errors.js'
import type { Constraint } from './constraint.js'
import { repairColumns } from './violation.js'

/** @throws SchemaMismatchError when `onViolation: 'null'` can't be done to these columns */
export function requireNullable(table: TableDescription, constraint: Constraint): void {
  const columns = repairColumns(constraint)
  const wanted = typeof columns === 'string' ? [] : requireColumns(table, columns, 'constraint')
  const refused = wanted.filter((column) => column.notNull || column.generated !== null)
  if (refused.length === 0) return
  const reasons = refused.map((column) => `"${column.name}" is ${column.notNull ? 'NOT NULL' : 'generated'}`)
  throw new SchemaMismatchError(
    `table ${table.name} (onViolation "null")`,
    `not all of the columns can be set to NULL: ${reasons.join(', ')}`,
    "Choose onViolation 'delete' or 'report', or make the columns nullable.",
  )
}
