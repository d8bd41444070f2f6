/**
 * What a signal says of the database: `calm` lets the work go on, `pressure` slows it down, `stop` holds it, `unknown`
 * (no rights, nothing to measure) blocks nothing.
 */
export type Verdict = 'calm' | 'pressure' | 'stop' | 'unknown'

/** A gauge slows the work down by degrees; a hard stop holds it as long as it says so. */
export type SignalKind = 'gauge' | 'hard stop'

/** What one sample of a signal found. */
export interface SignalSample {
  /** As measured, in the signal's own unit; null when it can't be told. */
  readonly value: number | null
  readonly verdict: Verdict
  /** For people: the value with its unit against its threshold, as `replica "b" is 7 s behind (limit 5 s)`. */
  readonly why: string
  /** Value over threshold, 1 is the limit. A gauge without it counts 0.9 for `pressure`, 1.1 for `stop`, 0 for `calm`. */
  readonly utilisation?: number
}

/** The newest sample of a signal, as the pacer is told. */
export interface Reading extends SignalSample {
  readonly signal: string
  readonly kind: SignalKind
  /** When it was read last without an error or `unknown`, by the monotonic clock in ms; null when it never could be. */
  readonly lastReadMs: number | null
}
