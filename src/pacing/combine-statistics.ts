import { combineProfiles } from './rate-profile.js'
import { ALMOST, NO_STATISTICS, type Statistics } from './statistics.js'

/** One lane of a walk: its statistics are of its own range, whose share of all rows is known. */
export interface LaneStatistics {
  readonly statistics: Statistics
  /** The share of the whole walk that its range is, by estimated rows, 0 to 1. The shares of all lanes add up to 1. */
  readonly share: number
  /** Somebody runs it now: only such a lane has a rate. */
  readonly running: boolean
  /** Nothing is left in it. */
  readonly finished: boolean
}

/**
 * The statistics of a whole walk of those of its lanes, for `itemsPerSecond`, `etaSeconds` and the fraction: what is done
 * is that of all lanes, the rate that of the running ones added up. The fraction is null when it isn't known of a lane
 * that has begun and isn't finished.
 */
export function combineStatistics(lanes: readonly LaneStatistics[]): Statistics {
  const running = lanes.filter((lane) => lane.running && !lane.finished)
  const seconds = Math.max(0, ...running.map(({ statistics }) => statistics.fadedSeconds))
  // A rate is a quotient: all are brought to the same number of seconds, then they can be added up.
  const rate = ({ statistics }: LaneStatistics, amount: number) =>
    statistics.fadedSeconds > 0 ? (amount / statistics.fadedSeconds) * seconds : 0
  return {
    ...NO_STATISTICS,
    recentItems: sum(lanes, ({ statistics }) => statistics.recentItems),
    recentMs: sum(lanes, ({ statistics }) => statistics.recentMs),
    fadedItems: sum(running, (lane) => rate(lane, lane.statistics.fadedItems)),
    fadedFraction: sum(running, (lane) => rate(lane, lane.statistics.fadedFraction * lane.share)),
    fadedSeconds: seconds,
    fraction: combineFractions(lanes),
    profile: combineProfiles(running.map(({ statistics, share }) => ({ profile: statistics.profile, share }))),
  }
}

/** The share of the whole that all lanes have done; below 1 until all are finished. */
function combineFractions(lanes: readonly Pick<LaneStatistics, 'share' | 'finished' | 'statistics'>[]): number | null {
  const untold = lanes.some(
    ({ statistics, finished }) => !finished && statistics.fraction === null && statistics.fadedSeconds > 0,
  )
  if (untold) return null
  const done = sum(lanes, ({ statistics, share, finished }) => share * (finished ? 1 : (statistics.fraction ?? 0)))
  return lanes.every(({ finished }) => finished) ? 1 : Math.min(ALMOST, done)
}

function sum<Item>(items: readonly Item[], amount: (item: Item) => number): number {
  return items.reduce((total, item) => total + amount(item), 0)
}
