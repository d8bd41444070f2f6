import type { Reading, SignalKind, SignalSample } from '../pacing/reading.js'
import { durationText } from './units.js'

/** Whose reading it is. */
interface Identity {
  readonly name: string
  readonly kind: SignalKind
}

/** The reading after one more sample; null, which tells nothing yet, leaves it as it is. */
export function afterSample(
  { name, kind }: Identity,
  former: Reading | null,
  sample: SignalSample | null,
  nowMs: number,
): Reading | null {
  if (sample === null) return former
  const lastReadMs = sample.verdict === 'unknown' ? (former?.lastReadMs ?? null) : nowMs
  return { ...sample, signal: name, kind, lastReadMs }
}

/** The reading after a sample that failed. What it said before, and for how long that counts, is the pace's business. */
export function afterFailure(
  { name, kind }: Identity,
  former: Reading | null,
  problem: string,
  nowMs: number,
): Reading {
  const lastReadMs = former?.lastReadMs ?? null
  const since = lastReadMs === null ? '' : ` for ${durationText(nowMs - lastReadMs)}`
  return { signal: name, kind, lastReadMs, value: null, verdict: 'unknown', why: `can't be read${since}: ${problem}` }
}
