import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  closest,
  describe as inWords,
  durationProblems,
  unknownOptionProblems,
  wholeNumberProblems,
} from '../../src/options.js'

describe('checks of options', () => {
  it('every value is taken or refused with one sentence, and none throws', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true, withDate: true }), (value) => {
        const whole = wholeNumberProblems('n', value)
        const isWhole = value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1)
        expect(whole).toHaveLength(isWhole ? 0 : 1)
        const isDuration = value === undefined || (typeof value === 'number' && Number.isFinite(value) && value > 0)
        expect(durationProblems('ms', value)).toHaveLength(isDuration ? 0 : 1)
        expect(inWords(value)).toBeTypeOf('string')
      }),
    )
  })

  it('suggests the known name with one letter left out, added or changed', () => {
    const known = ['defaultBatchSize', 'minBatchSize', 'targetMs', 'logger']
    fc.assert(
      fc.property(
        fc.constantFrom(...known),
        fc.nat(),
        fc.constantFrom('x', ''),
        fc.boolean(),
        (name, position, letter, replace) => {
          const at = position % name.length
          const misspelt = name.slice(0, at) + letter + name.slice(replace || letter === '' ? at + 1 : at)
          fc.pre(!known.includes(misspelt))
          expect(closest(misspelt, known)).toBe(name)
          expect(unknownOptionProblems({ [misspelt]: 1 }, known)).toEqual([
            `unknown option "${misspelt}"; did you mean "${name}"?`,
          ])
        },
      ),
    )
    expect(closest('entirely different', known)).toBeUndefined()
  })
})
