import { closest } from '../../options.js'
import { zoneOf, type Zone } from './local-time.js'

/** Hours of the week in a zone, as `Mon-Fri 22:00-06:00 Europe/Berlin`. */
export interface TimeWindow {
  readonly text: string
  /** On which days it begins; index 0 is Sunday. */
  readonly days: readonly boolean[]
  /** Minutes since midnight; an end at or before the start is on the next day. */
  readonly start: number
  readonly end: number
  readonly zone: Zone
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const FORM = "write it as 'Mon-Fri 22:00-06:00 Europe/Berlin'"
const DAY_MINUTES = 24 * 60

/** The window that a text means, or what is wrong with which piece of it. */
export function parseWindow(text: unknown): TimeWindow | { readonly problem: string } {
  if (typeof text !== 'string') return { problem: `a window must be a text; ${FORM}` }
  const say = (problem: string) => ({ problem: `window ${JSON.stringify(text)}: ${problem}` })
  const pieces = text.trim().split(/\s+/)
  const timesAt = pieces.findIndex((piece) => piece.includes(':'))
  const times = pieces[timesAt]
  if (times === undefined) return say(`it has no hours; ${FORM}`)
  if (timesAt > 1 || pieces.length > timesAt + 2) return say(`it has too many pieces; ${FORM}`)
  const days = timesAt === 0 ? DAYS.map(() => true) : parseDays(pieces[0] ?? '')
  if (typeof days === 'string') return say(days)
  const hours = parseHours(times)
  if (typeof hours === 'string') return say(hours)
  const zoneName = pieces[timesAt + 1] ?? 'UTC'
  const zone = zoneOf(zoneName)
  if (zone === null) return say(`${JSON.stringify(zoneName)} is no time zone${meantZone(zoneName)}`)
  return { text: text.trim(), days, ...hours, zone }
}

/** Days as `Mon`, `Mon-Fri`, `Sat,Sun`, `Fri-Mon`, `daily`; a sentence when they can't be read. */
function parseDays(piece: string): boolean[] | string {
  if (piece.toLowerCase() === 'daily') return DAYS.map(() => true)
  const days = DAYS.map(() => false)
  for (const range of piece.split(',')) {
    const names = range.split('-')
    const numbers = names.map((name) => DAYS.indexOf(name.toLowerCase()))
    const unknown = numbers.findIndex((day) => day < 0)
    if (unknown >= 0 || names.length > 2) {
      const name = names[unknown] ?? range
      const meant = closest(name, DAYS)
      const hint = meant === undefined ? '' : `; did you mean "${meant.charAt(0).toUpperCase()}${meant.slice(1)}"?`
      return `${JSON.stringify(name)} is no day (Mon, Tue, Wed, Thu, Fri, Sat, Sun, daily)${hint}`
    }
    const [from = 0, to = from] = numbers
    for (let day = from; ; day = (day + 1) % 7) {
      days[day] = true
      if (day === to) break
    }
  }
  return days
}

function parseHours(piece: string): { start: number; end: number } | string {
  const [start, end, more] = piece.split('-').map(parseTime)
  if (start === undefined || end === undefined || more !== undefined) {
    return `${JSON.stringify(piece)} are no hours, as 22:00-06:00`
  }
  if (start === null || end === null || start === DAY_MINUTES) {
    return `${JSON.stringify(piece)} are no hours from 00:00 to 24:00`
  }
  if (start === end) return `${JSON.stringify(piece)} ends when it begins; write 00:00-24:00 for a whole day`
  return { start, end }
}

function parseTime(text: string): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text)
  if (match === null) return null
  const minutes = Number(match[1]) * 60 + Number(match[2])
  return Number(match[2]) < 60 && minutes <= DAY_MINUTES ? minutes : null
}

function meantZone(name: string): string {
  const meant = closest(name, Intl.supportedValuesOf('timeZone'))
  return meant === undefined ? ', as Europe/Berlin' : `; did you mean "${meant}"?`
}
