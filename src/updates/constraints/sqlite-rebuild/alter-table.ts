import type { Query } from '../../../databases/database.js'
import { quoteIdentifier } from '../../../databases/identifier.js'
import type { Constraint } from '../constraint.js'
import { constraintClause } from '../constraint-sql.js'

/**
 * Adds the constraint without a rebuild, where SQLite can: from 3.53 on `ALTER COLUMN … SET NOT NULL` and
 * `ADD CONSTRAINT … CHECK`. Returns false when the table must be rebuilt.
 */
export async function alterTable(
  query: Query,
  table: string,
  constraint: Constraint,
  name: string | null,
): Promise<boolean> {
  if (constraint.kind !== 'notNull' && constraint.kind !== 'check') return false
  if (!(await canAlterConstraints(query))) return false
  const quoted = `main.${quoteIdentifier(table, 'sqlite')}`
  if (constraint.kind === 'notNull') {
    // It takes no name, so this NOT NULL has none.
    await query(`ALTER TABLE ${quoted} ALTER COLUMN ${quoteIdentifier(constraint.column, 'sqlite')} SET NOT NULL`)
    return true
  }
  // SQLite 3.53 refuses existing rows for which the expression is NULL, which are no violation and may be inserted
  // afterwards.
  const undecided = await query(`SELECT 1 FROM ${quoted} WHERE (${constraint.expression}\n) IS NULL LIMIT 1`)
  if (undecided.rows.length > 0) return false
  const named = name === null ? '' : `CONSTRAINT ${quoteIdentifier(name, 'sqlite')} `
  await query(`ALTER TABLE ${quoted} ADD ${named}${constraintClause(constraint, 'sqlite')}`)
  return true
}

async function canAlterConstraints(query: Query): Promise<boolean> {
  const { rows } = await query<{ version: string }>('SELECT sqlite_version() AS version')
  const [major = 0, minor = 0] = (rows[0]?.version ?? '').split('.').map(Number)
  return major > 3 || (major === 3 && minor >= 53)
}
