/** A moment as the clocks of a zone show it. */
export interface LocalTime {
  /** 0 is Sunday. */
  readonly weekday: number
  /** Since midnight. */
  readonly minute: number
  /** How far the zone's clocks are ahead of UTC, in ms. */
  readonly offsetMs: number
}

/** Tells the local time of a zone; offsets are whole minutes. */
export type Zone = (epochMs: number) => LocalTime

const MINUTE_MS = 60_000

/** A zone of the IANA database by its name; null when there is none of that name. */
export function zoneOf(name: string): Zone | null {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    })
  } catch {
    return null
  }
  return (epochMs) => {
    const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, Number(value)]))
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
    const midnightMs = Date.UTC(part('year'), part('month') - 1, part('day'))
    const minute = part('hour') * 60 + part('minute')
    const localMs = midnightMs + minute * MINUTE_MS
    return {
      weekday: new Date(midnightMs).getUTCDay(),
      minute,
      offsetMs: localMs - Math.floor(epochMs / MINUTE_MS) * MINUTE_MS,
    }
  }
}
