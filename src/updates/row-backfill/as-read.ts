import type { TableDescription } from '../../databases/catalogue/table.js'
import { postgresText } from './postgres-text.js'

/** Whether a value for a column is the one that was read, untouched. */
export type AsRead = (column: string, value: unknown) => boolean

/**
 * Remembers what was read of a row, before `map` gets it. A driver's value may hold less than the column does (a Date
 * has no microseconds, a parsed JSON number no more than 53 bits), so a value that nobody touched must not be written
 * back. An object is untouched when it is the very same one and would still be written as the same text: the text of a
 * copy tells nothing, for somebody may have rounded on purpose.
 */
export function asRead(table: TableDescription, row: Readonly<Record<string, unknown>>): AsRead {
  const types = new Map(table.columns.map(({ name, castType }) => [name, castType]))
  const textOf = (column: string, value: unknown): string | null | undefined => {
    if (typeof value !== 'object') return null
    try {
      return postgresText(value, types.get(column) ?? '')
    } catch {
      // Nothing to compare, so it is written, and the write says what is wrong with it.
      return undefined
    }
  }
  const read = new Map(Object.entries(row).map(([column, value]) => [column, { value, text: textOf(column, value) }]))
  return (column, value) => {
    const known = read.get(column)
    if (known === undefined || !Object.is(known.value, value)) return false
    return known.text !== undefined && known.text === textOf(column, value)
  }
}
