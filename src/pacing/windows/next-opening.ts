import type { LocalTime } from './local-time.js'
import type { TimeWindow } from './parse-window.js'

const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
/** The local time of day at which a window begins comes round within a week and the day on which clocks change. */
const LOOKS = 20

/**
 * Whether the clocks of the window's zone show a time in it. So an hour that the clocks skip isn't in any window, and
 * one that they show twice is twice.
 */
export function isOpen({ days, start, end, zone }: TimeWindow, epochMs: number): boolean {
  const { weekday, minute } = zone(epochMs)
  if (start < end) return days[weekday] === true && minute >= start && minute < end
  if (minute >= start) return days[weekday] === true
  return minute < end && days[(weekday + 6) % 7] === true
}

/** The first moment from `epochMs` on at which the window is open; null when that isn't within three weeks. */
export function nextOpening(window: TimeWindow, epochMs: number): number | null {
  let atMs = epochMs
  for (let look = 0; look < LOOKS; look += 1) {
    if (isOpen(window, atMs)) return atMs
    const local = window.zone(atMs)
    const wholeMinuteMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS
    const startMs = wholeMinuteMs + minutesToStart(window, local) * MINUTE_MS
    // The clocks may be changed before that: then it is looked at again from the change on.
    atMs = window.zone(startMs).offsetMs === local.offsetMs ? startMs : changeBetween(window, wholeMinuteMs, startMs)
  }
  return null
}

/** Minutes until the clocks show the next beginning, if nobody changes them; above 0. */
function minutesToStart({ days, start }: TimeWindow, { weekday, minute }: LocalTime): number {
  for (let day = 0; day <= 7; day += 1) {
    const minutes = day * DAY_MINUTES + start - minute
    if (minutes > 0 && days[(weekday + day) % 7] === true) return minutes
  }
  return 7 * DAY_MINUTES
}

/** The moment at which the offset of `fromMs` ends, to the minute; it isn't that of `toMs`. */
function changeBetween({ zone }: TimeWindow, fromMs: number, toMs: number): number {
  const { offsetMs } = zone(fromMs)
  let before = fromMs / MINUTE_MS
  let after = toMs / MINUTE_MS
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (zone(middle * MINUTE_MS).offsetMs === offsetMs) before = middle
    else after = middle
  }
  return after * MINUTE_MS
}
