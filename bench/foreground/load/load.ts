import type { Transaction } from '../latency.js'

/** A foreground to run for a while. */
export interface LoadRequest {
  readonly script: 'tpcb' | 'same'
  /** Transactions a second, at random moments as if many people sent them; null sends the next when the last is over. */
  readonly rate: number | null
  readonly clients: number
  readonly seconds: number
  readonly seed: number
  /** Rows of the table that is backfilled, for `same`. */
  readonly rows: number
}

/** Somebody who runs a foreground in a process of its own. */
export interface LoadGenerator {
  /** For people. */
  readonly about: string
  /** Resolves when it runs, `log` when it is over. */
  run(request: LoadRequest): Promise<{ readonly log: Promise<readonly Transaction[]> }>
}

/** Reads a log as `pgbench --log` writes it: client, number, µs, script, seconds and µs at its end, perhaps more. */
export function readLog(text: string): readonly Transaction[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, , microseconds, , seconds, fraction] = line.split(' ').map(Number)
      const latencyMs = (microseconds ?? Number.NaN) / 1_000
      return { dueMs: (seconds ?? Number.NaN) * 1_000 + (fraction ?? 0) / 1_000 - latencyMs, latencyMs }
    })
    .filter(({ latencyMs }) => !Number.isNaN(latencyMs))
}
