import type { Dialect, Query } from '../../databases/database.js'
import { quoteTable, tableLabel, type TableName } from '../../databases/identifier.js'
import { isNotNullSql } from '../../databases/null-test.js'
import { keyValueSql } from './create-index-sql.js'
import { DuplicateKeysError, type DuplicateKey } from './errors.js'
import type { IndexRequest } from './options.js'
import { withoutTimeouts } from '../../databases/session-settings.js'
import { enclosed } from '../walk/sql.js'

const SAMPLES = 5
const LONGEST_VALUE = 200

interface Failure {
  readonly dialect: Dialect
  /** The index, and the table it could not be made on: a partition, perhaps. */
  readonly name: string
  readonly table: TableName
  readonly cause: unknown
}

/**
 * The error of a unique index that can't be built, with the keys that are there more than once; or the cause itself when
 * there are none any more, so that trying again can help.
 */
export async function duplicateKeysError(
  query: Query,
  request: IndexRequest,
  { dialect, name, table, cause }: Failure,
): Promise<unknown> {
  const sql = dialect === 'postgres' ? duplicatesOnPostgres(request, table) : duplicatesOnSqlite(request, table)
  const find = () => query<DuplicateRow>(sql)
  // Finding them is a service: when it fails, the error without samples is still the right one.
  const rows = await (dialect === 'postgres' ? withoutTimeouts(query, find) : find()).then(
    (result) => result.rows,
    () => null,
  )
  const label = tableLabel(table)
  if (rows === null) return new DuplicateKeysError(name, label, { samples: [], duplicateKeys: null }, cause)
  const [first] = rows
  if (first === undefined) return cause
  const samples = rows.map((row) => toSample(row, request.keys.length))
  return new DuplicateKeysError(name, label, { samples, duplicateKeys: Number(first.duplicates) }, cause)
}

type DuplicateRow = Record<`key_${number}`, string | null> & { row_count: string; duplicates: string }

function toSample(row: DuplicateRow, width: number): DuplicateKey {
  return { key: Array.from({ length: width }, (_, index) => row[`key_${index}`] ?? null), rows: Number(row.row_count) }
}

// The keys are compared as the index compares them, and only then written as text: 1.0 and 1.00 are one key.
function duplicatesOnPostgres(request: IndexRequest, table: TableName): string {
  const names = request.keys.map((_, index) => `key_${index}`)
  const keys = request.keys.map((key, index) => `${keyValueSql(key, 'postgres')} AS key_${index}`)
  const conditions = request.nullsNotDistinct ? [] : names.map((name) => isNotNullSql(name, 'postgres'))
  return `
    SELECT ${names.map((name) => `left(${name}::text, ${LONGEST_VALUE}) AS ${name}`).join(', ')},
      count(*)::text AS row_count,
      (count(*) OVER ())::text AS duplicates
    FROM (
      SELECT ${keys.join(', ')}
      FROM ${quoteTable(table, 'postgres')}
      ${request.where === null ? '' : `WHERE ${enclosed(request.where)}`}
    ) AS keys
    ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`}
    GROUP BY ${names.join(', ')}
    HAVING count(*) > 1
    ORDER BY count(*) DESC, ${names.join(', ')}
    LIMIT ${SAMPLES}`
}

// Grouped by the expressions themselves, because a column of a subquery may lose its collation.
function duplicatesOnSqlite(request: IndexRequest, table: TableName): string {
  const keys = request.keys.map((key) => keyValueSql(key, 'sqlite'))
  const conditions = [
    ...(request.where === null ? [] : [enclosed(request.where)]),
    ...keys.map((key) => `${key} IS NOT NULL`),
  ]
  const shown = keys.map(
    (key, index) =>
      `substr(CASE typeof(${key}) WHEN 'blob' THEN 'x''' || hex(${key}) || '''' ELSE CAST(${key} AS TEXT) END, 1, ${LONGEST_VALUE}) AS key_${index}`,
  )
  return `
    SELECT ${shown.join(', ')},
      CAST(count(*) AS TEXT) AS row_count,
      CAST(count(*) OVER () AS TEXT) AS duplicates
    FROM ${quoteTable(table, 'sqlite')}
    WHERE ${conditions.join(' AND ')}
    GROUP BY ${keys.join(', ')}
    HAVING count(*) > 1
    ORDER BY count(*) DESC, ${keys.join(', ')}
    LIMIT ${SAMPLES}`
}
