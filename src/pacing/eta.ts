import { advanceWithin, secondsOf, type RateProfile } from './rate-profile.js'
import type { Statistics } from './statistics.js'

/** Nothing is said before so many batches, or such a share of the walk, is done. */
const MIN_BATCHES = 20
const MIN_FRACTION = 0.02

/** Less time than this can't be divided by. */
const SHORTEST_SECONDS = 1e-6

// The constants below were found by simulation (test/unit/eta.test.ts): steady walks, dearer regions, a throttled night,
// bursts, drifts; the range is to hold the end nine times of ten and to be as narrow as that allows.

/** A stretch counts as at least this share of the average rate: one that stood still would make every range endless. */
const SLOWEST = 0.05
/** What the last third gained on the whole, the rest of the walk may gain once more, nearly. */
const TREND = 0.8
/** What the fastest quarter of the time has shown is nearly possible for the rest. */
const BEST = 0.93
/** A slow time goes on for at most this share of the time so far. */
const PERSISTENCE = 0.65
/** Logarithms of the margins: what is always there, what is unforeseen, and how much of the rate's variation counts. */
const ALWAYS = 0.02
const UNFORESEEN_FASTER = 0.24
const UNFORESEEN_SLOWER = 0.84
const VARIATION_FASTER = 0.7
const VARIATION_SLOWER = 0.75

/**
 * Seconds of wall-clock time that are left, as a range; null before 20 batches or 2 % of the walk. Of three rates, that
 * of the last minutes, of the last third and of the whole way, the fastest gives the low end and the slowest, as long
 * as it may last, the high end. How much the rate has varied widens it, and so does what is still ahead and unseen:
 * more on the high side, for a walk that runs at full speed has dearer rows or a throttle to meet, hardly cheaper ones.
 * `wholeMayBeOff` is the factor by which the whole of the walk may be more or less than the fraction takes it to be.
 */
export function etaSeconds(
  statistics: Statistics,
  batches: number,
  wholeMayBeOff = 1,
): [low: number, high: number] | null {
  const { fraction, fadedFraction, fadedSeconds, profile } = statistics
  if (fraction === null || (batches < MIN_BATCHES && fraction < MIN_FRACTION)) return null
  const elapsed = secondsOf(profile)
  if (elapsed < SHORTEST_SECONDS || fadedSeconds < SHORTEST_SECONDS) return null
  const whole = advanceWithin(profile, elapsed) / elapsed
  if (whole <= 0) return null
  const floor = whole * SLOWEST
  const third = Math.max(floor, advanceWithin(profile, elapsed / 3) / (elapsed / 3))
  const recent = Math.max(floor, fadedFraction / fadedSeconds)

  const left = 1 - fraction
  const trend = Math.min(2, Math.max(1, third / whole)) ** TREND
  const fastest = Math.max(whole, recent, third * trend, bestRate(profile, elapsed / 4) * BEST)
  const longest = Math.max(
    left / whole,
    ...[third, recent].map((rate) => secondsAt(rate, whole, left, elapsed * PERSISTENCE)),
  )
  const unseen = Math.min(1, left * 2)
  const variation = logDeviation(profile, elapsed, floor)
  const less = Math.log(left / Math.max(left / 100, 1 / wholeMayBeOff - fraction))
  const more = Math.log((wholeMayBeOff - fraction) / left)
  const faster = ALWAYS + Math.hypot(UNFORESEEN_FASTER * unseen, VARIATION_FASTER * variation, less)
  const slower = ALWAYS + Math.hypot(UNFORESEEN_SLOWER * unseen, VARIATION_SLOWER * variation, more)
  const range: [number, number] = [(left / fastest) * Math.exp(-faster), longest * Math.exp(slower)]
  return range.every(Number.isFinite) ? range : null
}

// At `rate` for a time, and then as over the whole way.
function secondsAt(rate: number, whole: number, left: number, seconds: number): number {
  return rate * seconds >= left ? left / rate : seconds + (left - rate * seconds) / Math.max(whole, rate)
}

// The mean rate of the fastest stretches that make up so much time.
function bestRate(profile: RateProfile, seconds: number): number {
  const fastestFirst = profile
    .filter(([length]) => length > 0)
    .toSorted(([aLength, a], [bLength, b]) => b / bLength - a / aLength)
  let left = seconds
  let advance = 0
  for (const [length, advanced] of fastestFirst) {
    const taken = Math.min(length, left)
    advance += advanced * (taken / length)
    left -= taken
    if (left <= 0) break
  }
  return seconds > left ? advance / (seconds - left) : 0
}

// How far the rate of a stretch is from the average, as a factor's logarithm, weighted by time.
function logDeviation(profile: RateProfile, elapsed: number, floor: number): number {
  const rates = profile
    .filter(([length]) => length > 0)
    .map(([length, advance]) => ({ weight: length / elapsed, log: Math.log(Math.max(floor, advance / length)) }))
  const mean = rates.reduce((sum, { weight, log }) => sum + weight * log, 0)
  return Math.sqrt(rates.reduce((sum, { weight, log }) => sum + weight * (log - mean) ** 2, 0))
}
