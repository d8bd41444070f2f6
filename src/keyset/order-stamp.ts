import type { TableDescription } from '../databases/catalogue/table-description.js'
import { quoteIdentifier } from '../databases/identifier.js'
import { keyLiteral } from './literal.js'
import type { WalkKey } from './key.js'

/**
 * The plan was made before the table was changed. Nothing was done by it yet: it is to be made anew. Never seen outside,
 * but where the table keeps changing.
 */
export class StalePlanError extends Error {
  constructor({ schema, name }: TableDescription) {
    super(`table ${schema}.${name} was changed while its rows were being looked for`)
  }
}

/** What a walk's order hung on, and so its rows, when its plan was made; equal to what `orderStampSql` tells while nothing changed. */
export function orderStamp(table: TableDescription, key: WalkKey): string {
  if (table.dialect === 'sqlite') return table.sql
  return key.columns.map(({ name }) => table.columns.find((column) => column.name === name)?.orderIds).join(',')
}

/**
 * The same as an expression of a statement over the table. It rides with the search for the next bound, whose lock keeps
 * the table as it is until the transaction ends, so it costs no round trip.
 */
export function orderStampSql(table: TableDescription, key: WalkKey, tableSql: string): string {
  const literal = (text: string) => keyLiteral(text, table.dialect)
  if (table.dialect === 'sqlite') {
    return `(
        SELECT sql
        FROM ${quoteIdentifier(table.schema, 'sqlite')}.sqlite_schema
        WHERE type = 'table' AND name = ${literal(table.name)}
      )`
  }
  const ids = key.columns.map(
    ({ name }) => `(
        SELECT pg_catalog.concat(atttypid, ':', attcollation)
        FROM pg_attribute
        WHERE attrelid = to_regclass(${literal(tableSql)}) AND attname = ${literal(name)}
      )`,
  )
  // A plan was made only where nothing is hidden.
  const hiding = `CASE WHEN row_security_active(to_regclass(${literal(tableSql)})::oid) THEN 'hiding' END`
  // A sub-select is asked once; a function would be for each row that the search for the bound passes over.
  return `(SELECT pg_catalog.concat_ws(',', ${[...ids, hiding].join(', ')}))`
}
