import type { ComparedColumn } from '../../databases/catalogue/compared-columns.js'
import type { TableName } from '../../databases/identifier.js'
import type { Constraint } from './constraint.js'

/** The columns that are compared to find what violates a constraint of `table`, those of the parent among them. */
export function comparedColumns(constraint: Constraint, table: TableName): ComparedColumn[] {
  switch (constraint.kind) {
    case 'foreignKey':
      return constraint.columns.flatMap(({ own, parent }) => [
        { table, column: own },
        { table: constraint.references, column: parent },
      ])
    case 'unique':
      return constraint.columns.map((column) => ({ table, column }))
    case 'notNull':
    case 'check':
      return []
  }
}
