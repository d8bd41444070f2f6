import type { Dialect } from '../../databases/database.js'
import { quoteColumns, quoteIdentifier, quoteTable, tableLabel, type TableName } from '../../databases/identifier.js'
import { isNotNullSql } from '../../databases/null-test.js'
import type { Constraint, ForeignKeyConstraint } from './constraint.js'

/**
 * What stands behind `ADD CONSTRAINT name`: `FOREIGN KEY ("a") REFERENCES "p" ("b")`, `CHECK (…)`, `UNIQUE (…)`. NOT
 * NULL is a CHECK unless `nativeNotNull` says that the database knows it by a name (PostgreSQL 18 and later).
 */
export function constraintClause(
  constraint: Constraint,
  dialect: Dialect,
  { nativeNotNull = false }: { readonly nativeNotNull?: boolean } = {},
): string {
  switch (constraint.kind) {
    case 'foreignKey':
      return foreignKeyClause(constraint, dialect)
    case 'notNull': {
      const column = quoteIdentifier(constraint.column, dialect)
      return nativeNotNull ? `NOT NULL ${column}` : `CHECK (${isNotNullSql(column, dialect)})`
    }
    case 'check':
      return `CHECK ${parenthesized(constraint.expression)}`
    case 'unique':
      return `UNIQUE (${quoteColumns(constraint.columns, dialect)})`
  }
}

/** A constraint as people read it, for messages. */
export function constraintLabel(constraint: Constraint): string {
  switch (constraint.kind) {
    case 'foreignKey': {
      const own = constraint.columns.map((pair) => pair.own).join(', ')
      const parent = constraint.columns.map((pair) => pair.parent).join(', ')
      return `FOREIGN KEY (${own}) REFERENCES ${tableLabel(constraint.references)} (${parent})`
    }
    case 'notNull':
      return `${constraint.column} NOT NULL`
    case 'check':
      return `CHECK (${constraint.expression})`
    case 'unique':
      return `UNIQUE (${constraint.columns.join(', ')})`
  }
}

/** The columns of its own table that a constraint names; a check doesn't say. */
export function ownColumns(constraint: Constraint): readonly string[] {
  switch (constraint.kind) {
    case 'foreignKey':
      return constraint.columns.map((pair) => pair.own)
    case 'notNull':
      return [constraint.column]
    case 'check':
      return constraint.columns ?? []
    case 'unique':
      return constraint.columns
  }
}

// The line break ends a `--` comment at the end of the expression.
export function parenthesized(expression: string): string {
  return `(${expression}\n)`
}

function foreignKeyClause(constraint: ForeignKeyConstraint, dialect: Dialect): string {
  const { columns, references, onDelete, onUpdate, deferrable } = constraint
  const own = columns.map((pair) => pair.own)
  const parent = columns.map((pair) => pair.parent)
  return [
    `FOREIGN KEY (${quoteColumns(own, dialect)})`,
    `REFERENCES ${quoteTable(parentTable(references, dialect), dialect)} (${quoteColumns(parent, dialect)})`,
    ...(onDelete === 'no action' ? [] : [`ON DELETE ${onDelete.toUpperCase()}`]),
    ...(onUpdate === 'no action' ? [] : [`ON UPDATE ${onUpdate.toUpperCase()}`]),
    ...(deferrable === null ? [] : [`DEFERRABLE ${deferrable.toUpperCase()}`]),
  ].join(' ')
}

// A foreign key of SQLite can't name a schema: its parent is in the same file.
function parentTable(references: TableName, dialect: Dialect): TableName {
  return dialect === 'sqlite' && typeof references !== 'string' ? references.name : references
}
