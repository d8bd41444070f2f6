import type { Dialect } from '../../databases/database.js'
import { quoteColumns, quoteIdentifier, quoteTable } from '../../databases/identifier.js'
import { enclosed } from '../walk/sql.js'
import type { IndexKey, IndexRequest, QualifiedName } from './options.js'

/** Where a CREATE INDEX statement puts the index; everything else comes from the request. */
export interface IndexPlace {
  readonly dialect: Dialect
  /** How the index is named in the statement, as SQL. */
  readonly index: string
  /** The table, as SQL. */
  readonly table: string
  /** PostgreSQL: without blocking writers. */
  readonly concurrently?: boolean
  /** PostgreSQL: on the partitioned table alone, not on its partitions. */
  readonly only?: boolean
  /** SQLite: nothing happens when a relation of that name is there. */
  readonly ifNotExists?: boolean
}

export function createIndexSql(request: IndexRequest, place: IndexPlace): string {
  const { dialect } = place
  const words = [
    'CREATE',
    request.unique && 'UNIQUE',
    'INDEX',
    place.concurrently === true && 'CONCURRENTLY',
    place.ifNotExists === true && 'IF NOT EXISTS',
    place.index,
    'ON',
    place.only === true && 'ONLY',
    place.table,
    request.using !== null && `USING ${quoteIdentifier(request.using, dialect)}`,
    `(${request.keys.map((key) => keySql(key, dialect)).join(', ')})`,
    request.include.length > 0 && `INCLUDE (${quoteColumns(request.include, dialect)})`,
    request.nullsNotDistinct && 'NULLS NOT DISTINCT',
    request.where !== null && `WHERE ${enclosed(request.where)}`,
  ]
  return words.filter((word) => word !== false).join(' ')
}

/** The value that is indexed, under the collation of the index, as SQL. */
export function keyValueSql(key: IndexKey, dialect: Dialect): string {
  const value = key.column === undefined ? enclosed(key.expression) : quoteIdentifier(key.column, dialect)
  return key.collate === undefined ? value : `${value} COLLATE ${qualifiedName(key.collate, dialect)}`
}

function keySql(key: IndexKey, dialect: Dialect): string {
  const words = [
    keyValueSql(key, dialect),
    key.opclass !== undefined && qualifiedName(key.opclass, dialect),
    key.order !== undefined && key.order.toUpperCase(),
    key.nulls !== undefined && `NULLS ${key.nulls.toUpperCase()}`,
  ]
  return words.filter((word) => word !== false).join(' ')
}

function qualifiedName(name: QualifiedName, dialect: Dialect): string {
  return quoteTable(name, dialect)
}
