import { describe, expect, it } from 'vitest'
import { formatMs, formatRange, formatRate, formatSeconds, formatShare } from '../../src/cli/output/format.js'
import { cutToWidth, styles, visibleWidth } from '../../src/cli/output/style.js'
import { parseDatabaseUrl } from '../../src/databases/database-url.js'

describe('numbers for people', () => {
  it.each([
    [0, '0'],
    [0.42, '0.4'],
    [9.99, '10.0'],
    [12, '12'],
    [9_870, '9,870'],
    [311_700, '312 k'],
    [999_499, '999 k'],
    [999_500, '1.0 M'],
    [2_340_000, '2.3 M'],
    [12_000_000, '12 M'],
  ])('%d rows a second are %s', (rate, text) => expect(formatRate(rate)).toBe(text))

  it.each([
    [0, '0.0 %'],
    [0.0123, '1.2 %'],
    [0.5, '50 %'],
    [0.9999, '99 %'],
    [1, '99 %'],
  ])('a share of %d is %s, never 100 %% before the end', (share, text) => expect(formatShare(share)).toBe(text))

  it.each([
    [0.04, '0.0 s'],
    [9.96, '10 s'],
    [59.6, '1 min'],
    [200, '3 min 20 s'],
    [3_600, '1 h'],
    [7_500, '2 h 5 min'],
    [86_400 * 3 + 4 * 3_600, '3 d 4 h'],
  ])('%d seconds are %s', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))

  it.each([
    [0.42, '0.4 ms'],
    [24.6, '25 ms'],
    [1_500, '1.5 s'],
  ])('%d ms are %s', (ms, text) => expect(formatMs(ms)).toBe(text))

  it.each([
    [[0.2, 0.9], '< 1 s'],
    [[2.8, 4.9], '2–5 s'],
    [[36, 63], '36 s–1 min 3 s'],
    [[120, 240], '2–4 min'],
    [[3_600, 7_500], '1 h–2 h 5 min'],
  ] as const)('from %j seconds is %s', (range, text) => expect(formatRange(range)).toBe(text))
})

describe('cutting to the width of a terminal', () => {
  const { red, bold } = styles(true)

  it('counts no escape codes and closes what it opened', () => {
    const line = `${bold('abc')} ${red('defgh')}`
    expect(visibleWidth(line)).toBe(9)
    expect(cutToWidth(line, 9)).toBe(line)
    const cut = cutToWidth(line, 6)
    expect(visibleWidth(cut)).toBe(6)
    expect(cut).toBe(`${bold('abc')} ${red('d')}…`)
    expect(cutToWidth(line, 0)).toBe(`${bold('')}\u001b[1m\u001b[22m\u001b[31m\u001b[39m`)
  })
})

describe('a database as one text', () => {
  it.each([
    ['postgres://u:p@h/d', { dialect: 'postgres', url: 'postgres://u:p@h/d' }],
    ['postgresql://h/d', { dialect: 'postgres', url: 'postgresql://h/d' }],
    ['sqlite:app.db', { dialect: 'sqlite', file: 'app.db' }],
    ['sqlite:///var/app.db', { dialect: 'sqlite', file: '/var/app.db' }],
    ['file:app.db', { dialect: 'sqlite', file: 'app.db' }],
    ['data/app.db', { dialect: 'sqlite', file: 'data/app.db' }],
    [':memory:', { dialect: 'sqlite', file: ':memory:' }],
    ['sqlite:', { problem: '"sqlite:" names no file' }],
    ['  ', { problem: 'the database URL is empty' }],
    ['mysql://h/d', { problem: '"mysql" is not a database that Evenkeel knows; use postgres:// or sqlite:' }],
  ])('%j', (text, location) => expect(parseDatabaseUrl(text)).toEqual(location))
})
