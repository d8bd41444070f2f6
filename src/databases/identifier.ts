import { InvalidIdentifierError } from '../errors.js'
import { describe } from '../options.js'
import type { Dialect } from './database.js'

/** A table by its name, or with its schema: `'users'`, `{ schema: 'shop', name: 'users' }`. A dot is part of a name. */
export type TableName = string | { readonly schema?: string; readonly name: string }

// NAMEDATALEN - 1. PostgreSQL cuts a longer name silently, so that what was created could never be found again.
const POSTGRES_MAX_BYTES = 63

/** The one place where an identifier becomes SQL. */
export function quoteIdentifier(name: string, dialect: Dialect): string {
  const problem = identifierProblem(name, dialect)
  if (problem !== null) throw new InvalidIdentifierError(typeof name === 'string' ? name : describe(name), problem)
  return `"${name.replaceAll('"', '""')}"`
}

/** Why `name` can't be an identifier, or null. Without a dialect only what no database accepts is refused. */
export function identifierProblem(name: unknown, dialect?: Dialect): string | null {
  if (typeof name !== 'string') return 'it is not a string'
  if (name === '') return 'it is empty'
  if (name.includes('\0')) return 'it contains a NUL character'
  if (!name.isWellFormed()) return 'it contains half a surrogate pair'
  if (dialect === 'postgres' && Buffer.byteLength(name) > POSTGRES_MAX_BYTES) {
    return `it is longer than ${POSTGRES_MAX_BYTES} bytes`
  }
  return null
}

export function quoteTable(table: TableName, dialect: Dialect): string {
  if (typeof table === 'string') return quoteIdentifier(table, dialect)
  const name = quoteIdentifier(table.name, dialect)
  return table.schema === undefined ? name : `${quoteIdentifier(table.schema, dialect)}.${name}`
}

export function quoteColumns(columns: readonly string[], dialect: Dialect): string {
  return columns.map((column) => quoteIdentifier(column, dialect)).join(', ')
}

/** A table's name as people read it, for messages. */
export function tableLabel(table: TableName): string {
  if (typeof table === 'string') return table
  return table.schema === undefined ? table.name : `${table.schema}.${table.name}`
}
