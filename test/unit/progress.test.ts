import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidProgressError } from '../../src/errors.js'
import { encodeProgress } from '../../src/queue/progress.js'

describe('encodeProgress', () => {
  it('is exact or refuses: nothing in between', () => {
    const anything = fc.dictionary(
      fc.string(),
      fc.anything({
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSparseArray: true,
        withTypedArray: true,
        withBoxedValues: true,
        withNullPrototype: true,
      }),
    )
    fc.assert(
      fc.property(anything, (progress) => {
        let text: string
        try {
          text = encodeProgress('u', progress)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidProgressError)
          expect((error as InvalidProgressError).path).toMatch(/^progress/)
          return
        }
        expect(JSON.parse(text)).toEqual(withPrototypes(progress))
      }),
      { numRuns: 500 },
    )
  })

  it('takes everything that JSON.parse can give, but -0', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ noUnicodeString: false }), { maxKeys: 5 }), (progress) => {
        const text = JSON.stringify(progress)
        const parsed = JSON.parse(text) as object
        expect(JSON.parse(encodeProgress('u', parsed))).toEqual(parsed)
      }),
    )
  })

  it('names a cycle where it closes, and takes the same object in two places', () => {
    const shared = { x: 1 }
    expect(encodeProgress('u', { a: shared, b: [shared, shared] })).toBe('{"a":{"x":1},"b":[{"x":1},{"x":1}]}')
    const cycle: Record<string, unknown> = {}
    cycle.a = { b: [0, cycle] }
    expect(() => encodeProgress('u', cycle)).toThrow('progress.a.b[1] refers to what it is part of')
  })

  it('refuses what is too deep for JSON.stringify with the same typed error', () => {
    let deep: Record<string, unknown> = {}
    for (let depth = 0; depth < 100_000; depth += 1) deep = { deep }
    expect(() => encodeProgress('u', deep)).toThrow(InvalidProgressError)
  })
})

/** The same value with ordinary prototypes: JSON has no others. */
function withPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withPrototypes)
  if (typeof value !== 'object' || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const [key, entry] of Object.entries(value)) {
    Object.defineProperty(copy, key, {
      value: withPrototypes(entry),
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return copy
}
