import type { Database, Logger, Reading, Signal, TableName } from 'evenkeel'
import { fromPg } from 'evenkeel/pg'
import pg from 'pg'
import { onTestFinished, vi } from 'vitest'
import { systemClock } from '../../src/clock.js'
import { countedDatabase } from '../../src/signals/counted-database.js'
import type { OwnWork } from '../../src/signals/own-work.js'
import { SignalSampler } from '../../src/signals/sampler.js'
import { memoryLogger } from '../engine/support.js'

export const NO_WORK: OwnWork = {
  commits: () => 0,
  otherRunners: async () => ({ runners: 0, batches: 0 }),
  busyWaits: () => null,
  backends: () => null,
  batchRunning: () => false,
  checkpoints: null,
}

export interface Watched {
  readonly sampler: SignalSampler<never>
  readonly logger: ReturnType<typeof memoryLogger>
  /** Resolves to the first reading of a signal that is as wanted. */
  readonly until: (signal: string, is: (reading: Reading) => boolean) => Promise<Reading>
}

/** Signals of a database, sampled twenty times a second until the test has finished. */
export function watch(
  database: Database<never>,
  signals: readonly Signal[],
  options: { readonly table?: TableName; readonly own?: Partial<OwnWork>; readonly logger?: Logger } = {},
): Watched {
  const { table = null, own = {} } = options
  const counted = countedDatabase(database)
  const logger = memoryLogger()
  const sampler = new SignalSampler<never>({
    database: counted.database,
    databaseName: 'main',
    signals: signals.map((signal) => ({ ...signal, intervalMs: Math.min(signal.intervalMs, 50) })),
    own: { ...NO_WORK, commits: counted.commits, ...own },
    clock: systemClock,
    log: logger,
  })
  onTestFinished(() => sampler.stop())
  const never = new AbortController().signal
  return {
    sampler,
    logger,
    until: (name, is) =>
      vi.waitFor(
        async () => {
          await sampler.awake(table, never)
          const reading = sampler.readings().find((each) => each.signal === name)
          if (reading === undefined || !is(reading)) throw new Error(`${name} is ${JSON.stringify(reading)}`)
          return reading
        },
        { timeout: 30_000, interval: 20 },
      ),
  }
}

/** The same of PostgreSQL behind a URL, through a pool that is ended with the test. */
export function watchPostgres(
  url: string,
  signals: readonly Signal[],
  options: Parameters<typeof watch>[2] & { readonly max?: number } = {},
): Watched {
  const pool = new pg.Pool({ connectionString: url, max: options.max ?? 2, application_name: 'app' })
  pool.on('error', () => {})
  onTestFinished(() => pool.end())
  return watch(fromPg(pool) as unknown as Database<never>, signals, options)
}

export const calm = ({ verdict }: Reading): boolean => verdict === 'calm'
export const stops = ({ verdict }: Reading): boolean => verdict === 'stop'
export const unknown = ({ verdict }: Reading): boolean => verdict === 'unknown'
