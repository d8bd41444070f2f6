import { ConfigurationError } from '../errors.js'
import { refuseProblems, requireReadable, unknownOptionProblems } from '../options.js'
import { offProblems, thresholdProblems, without, type SignalSet } from './signal-set.js'
import { busyWriters } from './sqlite/busy-writers.js'
import { sqliteForeground } from './sqlite/foreground.js'
import { walSize } from './sqlite/wal-size.js'

/** Limits of the signals of SQLite. Each is the value at which no batch may start. */
export interface SqliteSignalsOptions {
  /** Share of our transactions that found another writer in the database. Default 0.5. */
  readonly busyShare?: number
  /** Bytes of the write-ahead log that a reader keeps from being copied into the database. Default 64 MB. */
  readonly walBytes?: number
  /** Names of signals to leave out. Default none. */
  readonly off?: readonly string[]
}

const NUMBERS = ['busyShare', 'walBytes'] as const

/**
 * The signals of SQLite with limits of your own, for the option `signals`.
 *
 * @throws ConfigurationError naming every option that is wrong
 * @example
 * import { BackgroundUpdater, sqliteSignals, type Database } from 'evenkeel'
 *
 * export const updaterOf = (database: Database) =>
 *   new BackgroundUpdater({ database, signals: [sqliteSignals({ busyShare: 0.3 })] })
 */
export function sqliteSignals(options: SqliteSignalsOptions = {}): SignalSet {
  requireReadable('sqliteSignals', options)
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError('sqliteSignals', ['options must be an object'])
  }
  const signals = [
    sqliteForeground(),
    busyWriters(options.busyShare ?? 0.5),
    walSize(options.walBytes ?? 64 * 1_048_576),
  ]
  const problems = [
    ...unknownOptionProblems(options, [...NUMBERS, 'off']),
    ...NUMBERS.flatMap((name) => thresholdProblems(name, options[name])),
    ...offProblems(options.off, signals),
  ]
  refuseProblems('sqliteSignals', problems)
  return { dialect: 'sqlite', signals: without(signals, options.off) }
}
