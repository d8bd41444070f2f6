import type { JsonValue } from '../json.js'

/** A key's values as JSON, one for each column: exact, whatever their type, so they can be kept in the progress. */
export type EncodedKey = readonly JsonValue[]

const HEX = /^(?:[0-9a-f]{2})*$/
const INTEGER = /^-?\d+$/

/**
 * A value of SQLite as JSON that keeps its storage class: `5`, `1.5`, `"abc"`, `{ integer: "9007199254740993" }`,
 * `{ blob: "00ff" }`, `{ real: "Infinity" }`.
 *
 * @throws TypeError for what no key can hold
 */
export function encodeSqliteValue(value: unknown): JsonValue {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : { integer: value.toString() }
  }
  // Adding 0 makes -0, which JSON doesn't know, 0: SQLite compares them as equal.
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) return { real: String(value) }
  if (value instanceof Uint8Array) return { blob: Buffer.from(value).toString('hex') }
  throw new TypeError(`a key of SQLite can't hold ${value === null ? 'NULL' : typeof value}`)
}

/** The parameter that an encoded value stands for. Throws a TypeError when it is none. */
export function decodeSqliteValue(encoded: JsonValue): string | number | bigint | Uint8Array {
  if (typeof encoded === 'string' || typeof encoded === 'number') return encoded
  if (typeof encoded === 'object' && encoded !== null && !Array.isArray(encoded)) {
    const { integer, real, blob } = encoded as { integer?: JsonValue; real?: JsonValue; blob?: JsonValue }
    if (typeof integer === 'string' && INTEGER.test(integer)) return BigInt(integer)
    if (real === 'Infinity' || real === '-Infinity') return Number(real)
    if (typeof blob === 'string' && HEX.test(blob)) return Buffer.from(blob, 'hex')
  }
  throw new TypeError(`${JSON.stringify(encoded)} is no value of a key`)
}

/** PostgreSQL: every value is its text. A number, as a migration may write it, is taken for its text. */
export function decodePostgresValue(encoded: JsonValue): string {
  if (typeof encoded === 'string') return encoded
  if (typeof encoded === 'number' && Number.isFinite(encoded)) return String(encoded)
  throw new TypeError(`${JSON.stringify(encoded)} is no value of a key`)
}

/** Whether two encoded keys are the same. */
export function sameKey(a: EncodedKey, b: EncodedKey): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
