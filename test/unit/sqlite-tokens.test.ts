import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstList, sameSqliteExpression, sqliteTokens } from '../../src/databases/catalogue/sqlite-tokens.js'

const same = (left: string, right: string) => sameSqliteExpression(sqliteTokens(left), sqliteTokens(right))

describe('SQLite expressions', () => {
  it.each([
    ['LOWER( "Email" )', 'lower(email)'],
    ['((a > 1))', 'a>1 -- comment'],
    ['a != 1 AND b == 2', '[a] <> 1 and `b` = 2'],
    ["x'00FF' || 'It''s'", "x'00FF'||'It''s'"],
    ['a ->> 1', 'a->>1'],
    ['größe + 1E3', '"größe"+1e3'],
  ])('%s is %s', (left, right) => expect(same(left, right)).toBe(true))

  it.each([
    ["'A'", "'a'"],
    ['(a) + (b)', 'a) + (b'],
    ['(a) + (b)', '(a + b)'],
    ['"null"', 'NULL'],
    ["'a'", '"a"'],
    ['a b', 'ab'],
    ['a - -b', 'a'],
    ['1.0', '1'],
    ['a < = b', 'a <= b'],
  ])('%s is not %s', (left, right) => expect(same(left, right)).toBe(false))

  it('cuts a list at its own commas', () => {
    const { items, rest } = firstList(sqliteTokens(`CREATE TABLE "a(b" (x CHECK (f(1, 2)), 'y,)' TEXT) STRICT`))
    expect(items.map((item) => item.map((token) => token.text).join(' '))).toEqual([
      'x check ( f ( 1 , 2 ) )',
      `'y,)' TEXT`.replace('TEXT', 'text'),
    ])
    expect(rest.map((token) => token.text)).toEqual(['strict'])
  })

  it('reads any text to its end, and blanks between tokens change nothing', () => {
    const token = fc.constantFrom('a', '"B ""c"', "'d''e'", '12', '(', ')', '||', '+', 'x', ',', '[f g]', '<=')
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void sqliteTokens(text)))
    fc.assert(
      fc.property(fc.array(token), fc.constantFrom(' ', '\n', ' -- c\n', '/* c */'), (tokens, blank) => {
        expect(withoutPlaces(tokens.join(blank))).toEqual(withoutPlaces(tokens.join('  ')))
        expect(sqliteTokens(tokens.join(blank))).toHaveLength(tokens.length)
      }),
    )
  })
})

function withoutPlaces(sql: string): string[][] {
  return sqliteTokens(sql).map(({ kind, text }) => [kind, text])
}
