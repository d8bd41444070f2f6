import type { Dialect } from '../databases/database.js'

/** A value of a key, as `keyParameters` returns it, written as an SQL literal that is exactly this value. */
export function keyLiteral(value: unknown, dialect: Dialect): string {
  if (typeof value === 'string') return dialect === 'postgres' ? postgresText(value) : sqliteText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number') return sqliteNumber(value)
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  throw new TypeError(`${typeof value} is no value of a key`)
}

// With E the meaning of a backslash doesn't depend on standard_conforming_strings.
function postgresText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

// A literal ends at a NUL. A concatenation has no affinity, as a literal has none; a CAST would have one.
function sqliteText(text: string): string {
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`)
  return parts.length === 1 ? String(parts[0]) : `(${parts.join(' || char(0) || ')})`
}

function sqliteNumber(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '9e999' : '-9e999'
}
