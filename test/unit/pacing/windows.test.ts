import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isOpen, nextOpening } from '../../../src/pacing/windows/next-opening.js'
import { parseWindow, type TimeWindow } from '../../../src/pacing/windows/parse-window.js'
import { windowProblems } from '../../../src/pacing/windows/windows.js'

const MINUTE_MS = 60_000
const YEAR_MS = Date.UTC(2026, 0, 1)
const MINUTES = 365 * 24 * 60

// With a change of an hour, of half an hour, and at midnight.
const ZONES = ['Europe/Berlin', 'Australia/Lord_Howe', 'America/Santiago']
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** What the clocks of a zone show in every minute of a year, minute of the week by minute of the year. */
const clocks = new Map(ZONES.map((zone) => [zone, readClocks(zone)]))

function readClocks(timeZone: string): Uint16Array {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit' })
  const shown = new Uint16Array(MINUTES)
  for (let minute = 0; minute < MINUTES; minute += 1) {
    const [, day = '', hours, minutes] = /^(\w+),? (\d+):(\d+)$/.exec(format.format(YEAR_MS + minute * MINUTE_MS)) ?? []
    shown[minute] = DAYS.indexOf(day) * 1_440 + Number(hours) * 60 + Number(minutes)
  }
  return shown
}

/** The slow way: each minute of the week that the window names, a day's end being the next day's morning. */
function minutesOfWeek(days: readonly string[], start: number, end: number): Set<number> {
  const length = end > start ? end - start : end + 1_440 - start
  const open = new Set<number>()
  for (const day of days) {
    for (let minute = 0; minute < length; minute += 1) {
      open.add((DAYS.indexOf(day) * 1_440 + start + minute) % (7 * 1_440))
    }
  }
  return open
}

function windowOf(text: string): TimeWindow {
  const window = parseWindow(text)
  if ('problem' in window) throw new Error(window.problem)
  return window
}

function clock(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

const anyWindow = fc
  .record({
    zone: fc.constantFrom(...ZONES),
    days: fc.subarray(DAYS, { minLength: 1 }),
    start: fc.integer({ min: 0, max: 1_439 }),
    end: fc.integer({ min: 0, max: 1_440 }),
  })
  .filter(({ start, end }) => start !== end)
  .map(({ zone, days, start, end }) => ({
    zone,
    text: `${days.join(',')} ${clock(start)}-${clock(end)} ${zone}`,
    open: minutesOfWeek(days, start, end),
  }))

describe('time windows', () => {
  it.each([
    ['Mon-Fri 22:00-06:00 Europe/Berlin', 'Europe/Berlin', ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'], 22 * 60, 6 * 60],
    ['daily 02:15-02:45 Australia/Lord_Howe', 'Australia/Lord_Howe', DAYS, 135, 165],
    ['Sat-Sun 23:30-24:00 America/Santiago', 'America/Santiago', ['Sat', 'Sun'], 1_410, 1_440],
  ] as const)(
    '%s is open in just the minutes of the year in which the clocks show it',
    (text, zone, days, start, end) => {
      const window = windowOf(text)
      const open = minutesOfWeek(days, start, end)
      const shown = clocks.get(zone) ?? new Uint16Array()
      const wrong: string[] = []
      for (let minute = 0; minute < MINUTES; minute += 1) {
        const atMs = YEAR_MS + minute * MINUTE_MS
        if (isOpen(window, atMs) !== open.has(shown[minute] ?? -1)) wrong.push(new Date(atMs).toISOString())
      }
      expect(wrong).toEqual([])
    },
  )

  it('opens next at the first minute in which it is open, over midnight and changes of the clocks', () => {
    fc.assert(
      fc.property(
        anyWindow,
        fc.integer({ min: 0, max: MINUTES - 1 }),
        fc.integer({ min: 0, max: 59_999 }),
        ({ text, zone, open }, minute, ms) => {
          const shown = clocks.get(zone) ?? new Uint16Array()
          const isIn = (at: number) => open.has(shown[at] ?? -1)
          let first = minute
          while (first < MINUTES && !isIn(first)) first += 1
          if (first === MINUTES) return
          const fromMs = YEAR_MS + minute * MINUTE_MS + ms
          const expected = first === minute ? fromMs : YEAR_MS + first * MINUTE_MS
          expect(nextOpening(windowOf(text), fromMs)).toBe(expected)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('an hour that the clocks skip opens nothing, one that they show twice is open twice', () => {
    const night = windowOf('daily 02:00-03:00 Europe/Berlin')
    const openMinutes = (day: number) =>
      Array.from({ length: 24 * 60 }, (_, minute) => isOpen(night, day + minute * MINUTE_MS)).filter(Boolean).length
    expect(openMinutes(Date.UTC(2026, 2, 28, 12))).toBe(0)
    expect(openMinutes(Date.UTC(2026, 9, 24, 12))).toBe(120)
    expect(openMinutes(Date.UTC(2026, 6, 1, 12))).toBe(60)
    expect(nextOpening(night, Date.UTC(2026, 2, 28, 12))).toBe(Date.UTC(2026, 2, 30, 0))
  })

  it.each([
    ['Mon-Fri 22:00-06:00 Europe/Belrin', 'did you mean "Europe/Berlin"?'],
    ['Mon-Fry 22:00-06:00 UTC', '"Fry" is no day'],
    ['Mon-Tue-Wed 22:00-06:00', '"Mon-Tue-Wed" is no day'],
    ['Mon 25:00-26:00', '"25:00-26:00" are no hours from 00:00 to 24:00'],
    ['Mon 22:60-23:00', 'are no hours'],
    ['Mon 22:00', '"22:00" are no hours, as 22:00-06:00'],
    ['Mon 22:00-22:00', 'write 00:00-24:00 for a whole day'],
    ['Mon 24:00-02:00', 'are no hours'],
    ['Mon', 'it has no hours'],
    ['', 'it has no hours'],
    ['Mon 22:00-06:00 UTC please', 'too many pieces'],
    ['every Mon 22:00-06:00', 'too many pieces'],
  ])('%s is refused: %s', (text, problem) => {
    expect(windowProblems(text).join()).toContain(problem)
    expect(windowProblems([text]).join()).toContain(problem)
  })

  it('other things than texts are refused, and everything that is right is taken', () => {
    expect(windowProblems(5).join()).toContain('must be a text')
    expect(windowProblems([5]).join()).toContain('must be a text')
    fc.assert(
      fc.property(anyWindow, ({ text }) => {
        expect(windowProblems(text.toLowerCase().replace(/ \S+$/, ''))).toEqual([])
      }),
    )
    expect(windowProblems(['22:00-6:00', 'fri-mon 1:00-02:00', ' daily  00:00-24:00   utc '])).toEqual([])
  })

  it('never throws, whatever is written', () => {
    const pieces = fc.constantFrom('Mon', '-', ',', ' ', '22', ':', '00', 'Europe/Berlin', 'UTC', 'x', '\0')
    fc.assert(fc.property(fc.array(pieces, { maxLength: 12 }), (words) => void windowProblems(words.join(''))))
    fc.assert(fc.property(fc.string(), (text) => void windowProblems(text)))
  })
})
