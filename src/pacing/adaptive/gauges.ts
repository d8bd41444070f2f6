import type { Reading } from '../reading.js'
import type { PaceKnobs } from './presets.js'
import { walGauge, type WalShares } from './wal-gauge.js'

/** Says whether somebody else works on the database: it sets the mode, not the duty. */
export const FOREGROUND = 'foreground'
/** Backends that wait for a lock of ours: they make the next batch smaller, not rarer. */
export const LOCK_WAITERS = 'lock waiters'
/** WAL a second over what the server's checkpoints bear. */
export const WAL_RATE = 'wal rate'
/** Backends at work over cores. Together with WAL, what others drive as much as we do. */
export const ACTIVE_BACKENDS = 'active backends'
/** The time of our own COMMIT against its start; it needs no rights and no query. */
export const COMMIT_TIME = 'commit time'

/** How near one gauge is to its limit. */
export interface Gauge {
  readonly name: string
  /** Value over threshold: 1 is the limit. */
  readonly utilisation: number
  /** It holds the work for as long as it is above its limit, however long that is. */
  readonly stops: boolean
  readonly value: number | null
  readonly why: string
}

/** What the gauges say together. */
export interface Pressure {
  /** The gauge that is nearest to its limit; null when none can be read. */
  readonly highest: Gauge | null
  /** A gauge that was readable and can't be read now: the duty doesn't rise meanwhile. */
  readonly blind: string | null
}

/**
 * The gauges among the readings. WAL counts only while somebody else works: checkpoints that are forced on an idle
 * database hurt nobody.
 */
export function pressureOf(
  readings: readonly Reading[],
  knobs: Pick<PaceKnobs, 'walSpread' | 'sharedCrowd'>,
  shared: boolean,
  commitTime: Gauge | null,
  wal: WalShares,
): Pressure {
  const gauges = commitTime === null ? [] : [commitTime]
  let blind: string | null = null
  for (const reading of readings) {
    const { signal, kind, verdict, value, why } = reading
    if (kind !== 'gauge' || signal === FOREGROUND || signal === LOCK_WAITERS) continue
    if (signal === WAL_RATE && !shared) continue
    if (verdict === 'unknown') {
      if (reading.lastReadMs !== null) blind ??= signal
      continue
    }
    const utilisation = utilisationOf(reading)
    if (signal === WAL_RATE) {
      gauges.push({ name: signal, stops: false, value, ...walGauge(reading, utilisation, knobs.walSpread, wal) })
    } else if (signal === ACTIVE_BACKENDS) {
      gauges.push({ name: signal, utilisation: utilisation / knobs.sharedCrowd, stops: false, value, why })
    } else {
      gauges.push({ name: signal, utilisation, stops: verdict === 'stop', value, why })
    }
  }
  const highest = gauges.reduce<Gauge | null>(
    (most, gauge) => (most === null || gauge.utilisation > most.utilisation ? gauge : most),
    null,
  )
  return { highest, blind }
}

/** Value over threshold. A gauge that doesn't say it counts by its verdict; one that says `stop` is above its limit. */
function utilisationOf({ utilisation, verdict }: Reading): number {
  const said = utilisation !== undefined && Number.isFinite(utilisation) ? Math.max(0, utilisation) : null
  if (verdict === 'stop') return Math.max(said ?? 0, 1.1)
  return said ?? (verdict === 'pressure' ? 0.9 : 0)
}
