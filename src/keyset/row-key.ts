import { SchemaMismatchError } from '../errors.js'
import { encodeSqliteValue, type EncodedKey } from './encoding.js'
import type { WalkKey } from './key.js'

/** Takes the key out of a row that was selected with `keySelection(key, prefix)`. */
export function readKey(key: WalkKey, row: Readonly<Record<string, unknown>>, prefix: string): EncodedKey {
  return key.columns.map((column, index) => {
    const value = row[`${prefix}${index + 1}`]
    if (key.dialect === 'postgres') {
      if (typeof value === 'string') return value
      throw unreadable(column.name, value === null ? 'NULL' : typeof value)
    }
    if (value === null || value === undefined) throw unreadable(column.name, 'NULL')
    return encodeSqliteValue(value)
  })
}

function unreadable(column: string, found: string): SchemaMismatchError {
  return new SchemaMismatchError(
    `key column "${column}"`,
    `a row holds ${found} in it, so it has no place in the walk`,
    'Mend the row, or choose another key.',
  )
}
