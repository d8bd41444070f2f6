import type { Dialect } from './database.js'

/**
 * SQL that is true for NULL and for nothing else. To PostgreSQL's `IS NULL` a composite value of NULLs is NULL too, and to
 * its `IS NOT NULL` so is one with a single NULL in it; for NOT NULL and for an index both are values.
 */
export function isNullSql(expression: string, dialect: Dialect): string {
  return dialect === 'postgres' ? `${expression} IS NOT DISTINCT FROM NULL` : `${expression} IS NULL`
}

/** SQL that is true for every value, as `isNullSql` sees it. */
export function isNotNullSql(expression: string, dialect: Dialect): string {
  return dialect === 'postgres' ? `${expression} IS DISTINCT FROM NULL` : `${expression} IS NOT NULL`
}
