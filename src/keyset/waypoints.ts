import type { Query } from '../databases/database.js'
import type { JsonValue } from '../json.js'
import type { EncodedKey } from './encoding.js'
import { readHistogram } from './histogram.js'
import { shareBetween, type Waypoint } from './key-position.js'
import { probeDensity } from './probe-density.js'
import type { WalkPlan } from './walk.js'

/** How many stretches of equal rows are kept of a histogram: few, for the progress is saved with every batch. */
const STRETCHES = 16

/**
 * Waypoints of a walk from `first` to `end`: by the server's histogram of the key, else, for whole numbers, by looking
 * how dense the key is at some places. A few milliseconds, once a walk. Null when neither can be had.
 */
export async function readWaypoints(
  query: Query,
  plan: WalkPlan,
  first: EncodedKey,
  end: EncodedKey,
): Promise<Waypoint[] | null> {
  const bounds = await readHistogram(query, plan)
  if (bounds !== null) return ofHistogram(bounds, end)
  const [column, ...further] = plan.key.columns
  return column?.integer === true && further.length === 0 ? probeDensity(query, plan, first, end) : null
}

/** Pure: some of the bounds, and the end of the walk, for there may be rows behind the last bound by now. */
export function ofHistogram(bounds: readonly JsonValue[], end: EncodedKey): Waypoint[] | null {
  const last = bounds.length - 1
  const behind = rowsBehind(bounds, end)
  const waypoints = Array.from({ length: STRETCHES + 1 }, (_, index): Waypoint => {
    const at = Math.round((index * last) / STRETCHES)
    return [bounds[at] as JsonValue, Number((at / (last + behind)).toPrecision(5))]
  })
  const ascending = waypoints.filter(([value], index) => index === 0 || waypoints[index - 1]?.[0] !== value)
  if (behind > 0) ascending.push([end[0] as JsonValue, 1])
  return ascending.length > 1 ? ascending : null
}

// In stretches of the histogram: as dense as its last tenth, but at most as many rows again as it knows of, for one
// stray key may lie far behind.
function rowsBehind(bounds: readonly JsonValue[], end: EncodedKey): number {
  const last = bounds.length - 1
  const tenth = Math.max(1, Math.round(last / 10))
  const [from, to, value] = [bounds[last - tenth], bounds[last], end[0]]
  if (from === undefined || to === undefined || value === undefined) return 0
  const way = shareBetween(from, to, value)
  return way === null || way <= 1 ? 0 : Math.min((way - 1) * tenth, last)
}
