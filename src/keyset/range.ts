import { quoteIdentifier } from '../databases/identifier.js'
import { keyLiteral } from './literal.js'
import { decodePostgresValue, decodeSqliteValue, type EncodedKey } from './encoding.js'
import type { KeyColumn, WalkKey } from './key.js'

/** A piece of SQL and the values of its placeholders, in their order. */
export interface SqlPart {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** The operators that a bound may have. */
type Comparison = '>' | '>=' | '<='

/** `("a", "b")`, or `"a"`. With `alias` each column is qualified. */
export function keyExpression(key: WalkKey, alias?: string): string {
  const columns = key.columns.map((column) => `${qualified(column, key, alias)}${column.collate}`)
  return columns.length === 1 ? String(columns[0]) : `(${columns.join(', ')})`
}

/** `"a", "b" DESC`: the order of the walk, or its reverse. */
export function keyOrder(key: WalkKey, direction: 'ASC' | 'DESC' = 'ASC', alias?: string): string {
  return key.columns
    .map((column) => `${qualified(column, key, alias)}${column.collate}${direction === 'DESC' ? ' DESC' : ''}`)
    .join(', ')
}

/** The key as select list items `key_1`, `key_2`, … with `prefix`: what `readKey` of `row-key.ts` takes. */
export function keySelection(key: WalkKey, prefix: string, alias?: string): string {
  return key.columns
    .map((column, index) => `${readExpression(column, qualified(column, key, alias))} AS "${prefix}${index + 1}"`)
    .join(', ')
}

/**
 * A row comparison of the key with a bound, its placeholders numbered from `first`. A row comparison is one range of
 * the index; the equivalent with AND and OR is not.
 */
export function compareKey(
  key: WalkKey,
  comparison: Comparison,
  bound: EncodedKey,
  first: number,
  alias?: string,
): SqlPart {
  const parameters = key.columns.map((column, index) => `$${first + index}${column.cast}`)
  const right = parameters.length === 1 ? String(parameters[0]) : `(${parameters.join(', ')})`
  return { sql: `${keyExpression(key, alias)} ${comparison} ${right}`, values: keyParameters(key, bound) }
}

/**
 * The same comparison with the bound written into the SQL, for a statement that somebody else runs: then it has no
 * placeholders that could be left unbound, which SQLite takes for NULL without a word, or collide with theirs.
 */
export function compareKeyLiterally(key: WalkKey, comparison: Comparison, bound: EncodedKey, alias?: string): string {
  const values = keyParameters(key, bound).map(
    (value, index) => `${keyLiteral(value, key.dialect)}${key.columns[index]?.cast ?? ''}`,
  )
  return `${keyExpression(key, alias)} ${comparison} ${values.length === 1 ? String(values[0]) : `(${values.join(', ')})`}`
}

/** The key equals the values of `$first`, `$first + 1`, …; for values that come from elsewhere give `right`. */
export function keyEquals(key: WalkKey, right: (column: KeyColumn, index: number) => string, alias?: string): string {
  return key.columns
    .map((column, index) => `${qualified(column, key, alias)}${column.collate} = ${right(column, index)}`)
    .join(' AND ')
}

/** The parameters that an encoded key stands for. */
export function keyParameters(key: WalkKey, encoded: EncodedKey): unknown[] {
  if (encoded.length !== key.columns.length) {
    throw new TypeError(`${JSON.stringify(encoded)} is no key of ${key.columns.length} columns`)
  }
  return encoded.map(key.dialect === 'postgres' ? decodePostgresValue : decodeSqliteValue)
}

function qualified(column: KeyColumn, key: WalkKey, alias: string | undefined): string {
  return alias === undefined ? column.identifier : `${quoteIdentifier(alias, key.dialect)}.${column.identifier}`
}

/** What reads a key column's exact text, of any reference to it. */
export function readExpression(column: KeyColumn, reference: string): string {
  if (column.reading === 'text') return `${reference}::text`
  if (column.reading === 'json') return `to_json(${reference}) #>> '{}'`
  return reference
}
