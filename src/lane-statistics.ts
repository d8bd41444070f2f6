import type { JsonValue } from './json.js'
import { combineStatistics } from './pacing/combine-statistics.js'
import { restoreStatistics, type Statistics } from './pacing/statistics.js'
import type { LaneRow } from './queue/lane-store.js'

/** The statistics of an update that was split: those of its lanes, each by its share of the rows. */
export function statisticsOfLanes(lanes: readonly LaneRow[]): Statistics {
  const rows = lanes.map((lane) => Math.max(rowsOf(lane), lane.items))
  const whole = rows.reduce((sum, each) => sum + each, 0)
  return combineStatistics(
    lanes.map((lane, index) => ({
      statistics: restoreStatistics(parse(lane.statisticsJson)),
      share: whole > 0 ? (rows[index] ?? 0) / whole : 1 / lanes.length,
      running: lane.owner !== null,
      finished: lane.finished,
    })),
  )
}

function rowsOf({ progressJson }: LaneRow): number {
  const progress = parse(progressJson)
  const rows =
    typeof progress === 'object' && progress !== null && 'estimatedRows' in progress && progress.estimatedRows
  return typeof rows === 'number' ? rows : 0
}

function parse(text: string | null): JsonValue | undefined {
  try {
    return text === null ? undefined : (JSON.parse(text) as JsonValue)
  } catch {
    return undefined
  }
}
