import { describe, durationProblems, refuseProblems, requireReadable, unknownOptionProblems } from '../options.js'
import type { SignalKind, SignalSample, Verdict } from '../pacing/reading.js'
import type { Signal, SignalContext } from './signal.js'
import { digits } from './units.js'
import { against } from './verdict.js'

export interface SignalOptions {
  /** As `status()` and the reasons show it; one of a ready-made signal takes its place. */
  readonly name: string
  /** The value, when there is a `threshold`; or a whole sample. What it throws is logged once, and blocks nothing. */
  readonly sample: (context: SignalContext) => number | SignalSample | Promise<number | SignalSample>
  /** A gauge slows the work down by degrees, a hard stop holds it while it says `stop`. Default `gauge`. */
  readonly kind?: SignalKind
  /** In ms, from sample to sample. Default 1 000. */
  readonly intervalMs?: number
  /** How long a sample may take, in ms. Default 1 000. */
  readonly timeoutMs?: number
  /** The value at which no batch may start; from 0.8 of it on there is pressure. Above 0. */
  readonly threshold?: number
}

const OPTIONS = ['name', 'sample', 'kind', 'intervalMs', 'timeoutMs', 'threshold']

/**
 * A signal of the application's own for the pace, for instance its own 99th percentile. It is sampled in the background
 * while there is work, never twice at the same time, never by a batch.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { signal } from 'evenkeel'
 *
 * export const latency = (p99: () => number) =>
 *   signal({ name: 'checkout p99', threshold: 250, sample: () => p99() })
 *
 * export const backlog = signal({
 *   name: 'job backlog',
 *   kind: 'hard stop',
 *   intervalMs: 5_000,
 *   async sample({ query }) {
 *     const { rows } = await query<{ waiting: number }>('SELECT count(*)::int AS waiting FROM jobs')
 *     const waiting = rows[0]?.waiting ?? 0
 *     return { value: waiting, verdict: waiting > 1_000 ? 'stop' : 'calm', why: `${waiting} jobs wait (limit 1 000)` }
 *   },
 * })
 */
export function signal(options: SignalOptions): Signal {
  requireReadable('signal', options)
  const problems = problemsOf(options)
  refuseProblems(`signal ${describe(options?.name)}`, problems)
  const { name, sample, threshold, kind = 'gauge', intervalMs = 1_000, timeoutMs = 1_000 } = options
  const ask = async (context: SignalContext) => checked(await sample(context), threshold)
  return { name, kind, intervalMs, timeoutMs, shared: false, open: () => ask }
}

function problemsOf(options: SignalOptions): string[] {
  if (typeof options !== 'object' || options === null) return ['options must be an object']
  const { name, sample, kind, intervalMs, timeoutMs, threshold } = options
  const problems = [
    ...unknownOptionProblems(options, OPTIONS),
    ...durationProblems('intervalMs', intervalMs),
    ...durationProblems('timeoutMs', timeoutMs),
  ]
  if (typeof name !== 'string' || name === '') problems.push(`name must be a name, not ${describe(name)}`)
  if (typeof sample !== 'function') problems.push(`sample must be a function, not ${describe(sample)}`)
  if (kind !== undefined && kind !== 'gauge' && kind !== 'hard stop') {
    problems.push(`kind must be 'gauge' or 'hard stop', not ${describe(kind)}`)
  }
  if (threshold !== undefined && !(Number.isFinite(threshold) && threshold > 0)) {
    problems.push(`threshold must be a number above 0, not ${describe(threshold)}`)
  }
  return problems
}

const VERDICTS: readonly Verdict[] = ['calm', 'pressure', 'stop', 'unknown']

// What an application's function returns is not trusted.
function checked(result: unknown, threshold: number | undefined): SignalSample {
  if (typeof result === 'number') {
    if (threshold === undefined) throw new TypeError('sample returned a number, and the signal has no threshold')
    if (!Number.isFinite(result)) throw new TypeError(`sample returned ${result}`)
    return against(result, threshold, `${digits(result)} (limit ${digits(threshold)})`)
  }
  const { value, verdict, why, utilisation } = (result ?? {}) as Partial<SignalSample>
  if (verdict === undefined || !VERDICTS.includes(verdict)) {
    throw new TypeError(`sample returned verdict ${describe(verdict)}; it must be one of ${VERDICTS.join(', ')}`)
  }
  return {
    value: typeof value === 'number' && Number.isFinite(value) ? value : null,
    verdict,
    why: typeof why === 'string' ? why : verdict,
    utilisation: typeof utilisation === 'number' && utilisation >= 0 ? utilisation : undefined,
  }
}
