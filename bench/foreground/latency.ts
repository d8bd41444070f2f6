import { largest, quantile } from '../measure/summary.js'
import type { Column } from '../report/table.js'

/** One transaction of the foreground. */
export interface Transaction {
  /** When it was due, in ms since 1970; in a closed loop, when it was sent. */
  readonly dueMs: number
  /** From when it was due to its end, in ms: what waited in line behind a stall has waited too. */
  readonly latencyMs: number
}

/** What a foreground saw in a window of time. */
export interface LatencySummary {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly worst: number
  readonly tps: number
}

/** The transactions that were due between two moments. */
export function summarise(transactions: readonly Transaction[], fromMs: number, untilMs: number): LatencySummary {
  const latencies = transactions.filter(({ dueMs }) => dueMs >= fromMs && dueMs < untilMs).map((each) => each.latencyMs)
  return {
    p50: quantile(latencies, 0.5),
    p95: quantile(latencies, 0.95),
    p99: quantile(latencies, 0.99),
    p999: quantile(latencies, 0.999),
    worst: largest(latencies),
    tps: latencies.length / ((untilMs - fromMs) / 1_000),
  }
}

/** Columns for the summaries of one load; with several loads in a table, each has its name before its columns. */
export function latencyColumns(prefix = ''): readonly (Column & { readonly of: keyof LatencySummary })[] {
  const named = (of: keyof LatencySummary, title: string, format: Column['format']) => ({
    of,
    key: `${prefix}${of}`,
    title: `${prefix === '' ? '' : `${prefix}: `}${title}`,
    format,
  })
  return [
    named('p50', 'p50 ms', 'ms'),
    named('p95', 'p95', 'ms'),
    named('p99', 'p99', 'ms'),
    named('p999', 'p99.9', 'ms'),
    named('worst', 'worst', 'ms'),
    named('tps', 'tps', 'tps'),
  ]
}
