import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePostgresValue, decodeSqliteValue, encodeSqliteValue } from '../../src/keyset/encoding.js'
import type { JsonValue } from '../../src/json.js'

const integers = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const blobs = fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes))
const reals = fc.double({ noNaN: true })
const texts = fc.string({ unit: 'binary' })

function throughJson(value: JsonValue): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue
}

describe('encoded values of SQLite', () => {
  it('come back through JSON exactly', () => {
    fc.assert(
      fc.property(fc.oneof(integers, blobs, reals, texts), (value) => {
        const back = decodeSqliteValue(throughJson(encodeSqliteValue(value)))
        if (typeof value === 'bigint') expect(BigInt(back as number | bigint)).toBe(value)
        else if (typeof value === 'number') expect(back).toBe(value + 0)
        else expect(back).toEqual(value)
      }),
    )
  })

  it('keep their storage class', () => {
    expect([5, 5n, 1.5, 'abc', 2n ** 53n + 1n, Buffer.from([0, 255]), -Infinity].map(encodeSqliteValue)).toEqual([
      5,
      5,
      1.5,
      'abc',
      { integer: '9007199254740993' },
      { blob: '00ff' },
      { real: '-Infinity' },
    ])
  })

  it('are refused when they can be no key', () => {
    for (const value of [null, undefined, Number.NaN, {}, true])
      expect(() => encodeSqliteValue(value)).toThrow(TypeError)
    for (const value of [null, true, [], {}, { blob: 'x' }, { integer: '1.5' }, { real: '1' }]) {
      expect(() => decodeSqliteValue(value as JsonValue)).toThrow(TypeError)
    }
    for (const value of [null, true, [], {}]) expect(() => decodePostgresValue(value as JsonValue)).toThrow(TypeError)
  })
})
