import type { PaceDialect } from '../pace.js'

/** Named points between speed and gentleness. */
export type PacePreset = 'fast' | 'default' | 'gentle'

/** Everything about `adaptivePace()` that may be turned, also while it runs. */
export interface PaceKnobs {
  /** The most of the time that may go to batches, above 0 to 1. Default 1. */
  readonly maxDuty: number
  /** The least of the time that goes to batches while nothing stops them, above 0 to 1. Default 0.02. */
  readonly minDuty: number
  /**
   * How long a batch may take while somebody else works on the database, its rests not counted, in ms. Default 20, fast
   * and gentle 16; on SQLite 2, fast 3: whoever finds the file locked sleeps in steps of 1, 2, 5, 10 ms and more.
   */
  readonly sharedTargetMs: number
  /**
   * How long one statement of a batch may work in the server meanwhile, in ms: between two statements others get the
   * processor for certain. But each of them takes about a millisecond of processor time besides, here and in the server
   * together. From `sharedTargetMs` on a batch is one statement. Default 50. PostgreSQL only.
   */
  readonly sharedStatementMs: number
  /**
   * The rest between two statements of a batch meanwhile, in ms, their way to the server and back counted as one. What
   * is left of it beside the way takes at least 1 ms, for timers of Node aren't finer. Default 0. PostgreSQL only.
   */
  readonly sharedRestMs: number
  /**
   * The most of the time that may go to batches meanwhile, above 0 to 1; from half of the cores on, the busier others
   * keep them, the less of it. Default 0.2, fast 0.4, gentle 0.06; on SQLite 0.1, fast 0.25, gentle 0.008.
   */
  readonly sharedDuty: number
  /**
   * How many sessions of others may be at work before it gives way, in times of the limit of the signal `active
   * backends`. Default 1, fast 2. PostgreSQL only.
   */
  readonly sharedCrowd: number
  /**
   * How much WAL may be written meanwhile, in times of what the server's checkpoints bear (`max_wal_size` over
   * `checkpoint_timeout`): 1 forces no checkpoint. Default 10, fast 20, gentle 5.
   */
  readonly walSpread: number
  /** How long nobody else must have worked before the database counts as idle again, in ms. Default 5 000. */
  readonly quietMs: number
}

const COMMON = {
  maxDuty: 1,
  minDuty: 0.02,
  quietMs: 5_000,
  // Longer than a batch: it is one statement, and timed by the server's clock as the small ones are.
  sharedStatementMs: 50,
  sharedRestMs: 0,
  sharedCrowd: 1,
}

/**
 * The points on the frontier of rows a second against the foreground's latency. At the stock `checkpoint_timeout` of
 * five minutes a spread of 10 lets WAL force a checkpoint every 30 s, one of 20 every 15 s, one of 5 every minute.
 */
export const PRESETS: Readonly<Record<PaceDialect, Readonly<Record<PacePreset, PaceKnobs>>>> = {
  postgres: {
    fast: { ...COMMON, sharedTargetMs: 16, sharedDuty: 0.4, sharedCrowd: 2, walSpread: 20 },
    default: { ...COMMON, sharedTargetMs: 20, sharedDuty: 0.2, walSpread: 10 },
    gentle: { ...COMMON, sharedTargetMs: 16, sharedDuty: 0.06, walSpread: 5 },
  },
  sqlite: {
    fast: { ...COMMON, sharedTargetMs: 3, sharedDuty: 0.25, walSpread: 20 },
    default: { ...COMMON, sharedTargetMs: 2, sharedDuty: 0.1, walSpread: 10 },
    gentle: { ...COMMON, sharedTargetMs: 2, sharedDuty: 0.008, walSpread: 5 },
  },
}
