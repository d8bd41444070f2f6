import type { Reading } from '../reading.js'

/** After this time without a reading a hard stop that was readable closes: something is wrong. */
const CLOSES_AFTER_MS = 15_000

/** A hard stop that holds the work, and why. */
export interface Holding {
  readonly signal: string
  readonly why: string
}

/** What each hard stop said when it was last read: true holds the work. */
export type HardStops = ReadonlyMap<string, Holding | null>

export const NO_HARD_STOPS: HardStops = new Map()

/** Takes the readings in: one that can't be read says what it said before, for a while. */
export function readHardStops(before: HardStops, readings: readonly Reading[], nowMs: number): HardStops {
  const now = new Map<string, Holding | null>()
  for (const reading of readings) {
    if (reading.kind === 'hard stop') now.set(reading.signal, holdingOf(reading, before.get(reading.signal), nowMs))
  }
  return now
}

/** The first that holds the work; null when none does. */
export function holdingStop(stops: HardStops): Holding | null {
  for (const holding of stops.values()) if (holding !== null) return holding
  return null
}

function holdingOf(reading: Reading, before: Holding | null | undefined, nowMs: number): Holding | null {
  const { signal, verdict, why, lastReadMs } = reading
  if (verdict === 'stop') return { signal, why }
  if (verdict !== 'unknown' || lastReadMs === null) return null
  const blindMs = nowMs - lastReadMs
  if (blindMs < CLOSES_AFTER_MS) return before ?? null
  return { signal, why: `${signal} could be read and can't be any more, for ${Math.round(blindMs / 1_000)} s: ${why}` }
}
