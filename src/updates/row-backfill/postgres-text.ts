/**
 * JavaScript values as the text that PostgreSQL's types read, exactly. All values of a batch travel as text, so that no
 * driver's own idea of a type comes between.
 */

/** The text of a value for a column of type `castType` (as `format_type` writes it). Throws a TypeError for what has none. */
export function postgresText(value: unknown, castType: string): string | null {
  if (value === null || value === undefined) return null
  if (castType.endsWith('[]') && Array.isArray(value)) return arrayLiteral(value, castType.slice(0, -2))
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      return Object.is(value, -0) && !isJson(castType) ? '-0' : numberText(value, castType)
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'object':
      return objectText(value, castType)
    default:
      throw new TypeError(`a ${typeof value} can't be written into a column of type ${castType}`)
  }
}

/** An array literal of texts, for `unnest($1::text::text[])`. */
export function textArrayLiteral(texts: readonly (string | null)[]): string {
  return `{${texts.map((text) => (text === null ? 'NULL' : quoted(text))).join(',')}}`
}

function arrayLiteral(values: readonly unknown[], elementType: string): string {
  const elements = values.map((value) => {
    // An array of arrays is one array of more dimensions to PostgreSQL; in JSON it is a value.
    if (Array.isArray(value) && !isJson(elementType)) return arrayLiteral(value, elementType)
    const text = postgresText(value, elementType)
    return text === null ? 'NULL' : quoted(text)
  })
  return `{${elements.join(',')}}`
}

function objectText(value: object, castType: string): string | null {
  const { toPostgres } = value as { toPostgres?: unknown }
  // The convention of `pg` for values that know their own text, such as intervals.
  if (typeof toPostgres === 'function') {
    const converted: unknown = toPostgres.call(value, (inner: unknown) => postgresText(inner, castType))
    return postgresText(converted, castType)
  }
  if (isJson(castType)) return JSON.stringify(value)
  if (value instanceof Date) return dateText(value, castType)
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return JSON.stringify(value)
}

function numberText(value: number, castType: string): string {
  if (isJson(castType) && !Number.isFinite(value)) throw new TypeError(`${value} is not possible in JSON`)
  return String(value)
}

// Drivers read a timestamp without a time zone, and a date, as local time: it is written back as that.
function dateText(date: Date, castType: string): string {
  if (Number.isNaN(date.getTime())) throw new RangeError('an invalid Date can’t be written')
  if (castType.startsWith('timestamp with time zone')) return isoText(date, '+00')
  if (!castType.startsWith('timestamp') && !castType.startsWith('date') && !castType.startsWith('time')) {
    return date.toISOString()
  }
  // The same fields read as UTC.
  const local = new Date(0)
  local.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate())
  local.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds())
  return isoText(local, '')
}

// PostgreSQL has no year 0 and no sign: 1 BC is the year before 1.
function isoText(date: Date, zone: string): string {
  const year = date.getUTCFullYear()
  const rest = date
    .toISOString()
    .replace(/^[+-]?\d+/, '')
    .replace('Z', '')
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}${rest}${zone}${year > 0 ? '' : ' BC'}`
}

function isJson(castType: string): boolean {
  return castType === 'json' || castType === 'jsonb'
}

function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
