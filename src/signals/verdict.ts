import type { SignalSample, Verdict } from '../pacing/reading.js'

// Where the pace begins to slow down; at 1 it stops.
const PRESSURE_FROM = 0.8

export function verdictOf(utilisation: number): Verdict {
  if (utilisation > 1) return 'stop'
  return utilisation >= PRESSURE_FROM ? 'pressure' : 'calm'
}

/** A measured value against its limit. */
export function against(value: number, limit: number, why: string): SignalSample {
  const utilisation = value / limit
  return { value, utilisation, verdict: verdictOf(utilisation), why }
}

/** What can't be told, and why: it blocks nothing. */
export function unknown(why: string): SignalSample {
  return { value: null, verdict: 'unknown', why }
}

/** The nearer a value is to its limit, the more it counts; a sample of several things is that of the worst. */
export function worst(samples: readonly SignalSample[]): SignalSample | undefined {
  return samples.reduce<SignalSample | undefined>(
    (found, sample) => (found === undefined || (sample.utilisation ?? 0) > (found.utilisation ?? 0) ? sample : found),
    undefined,
  )
}
