import type { Query } from '../../databases/database.js'
import { keyPosition, wholeDistance } from '../../keyset/key-position.js'
import { readWaypoints } from '../../keyset/waypoints.js'
import type { WalkPlan, WalkPosition } from '../../keyset/walk.js'
import { savedCount, type WalkProgress } from './progress.js'

// Below this share of the numbers in use, a key says little about how many rows lie behind it.
const DENSE = 0.5

// Only the end of the walk is 100 %.
const ALMOST = 0.999

/** How the walk's way is to be measured, decided once at its start so that the fraction never goes back. */
export async function measure(
  query: Query,
  plan: WalkPlan,
  { first, end }: WalkPosition,
): Promise<Pick<WalkProgress, 'estimatedRows' | 'measuredBy' | 'waypoints'>> {
  // Zero from the statistics of a table that has rows means that it was loaded since.
  const estimatedRows = plan.table.estimatedRows === 0 ? null : plan.table.estimatedRows
  if (end === null) return { estimatedRows, measuredBy: 'rows' }
  const [column, ...further] = plan.key.columns
  const span = column?.integer === true && further.length === 0 ? wholeDistance(first[0], end[0]) : null
  const dense = span !== null && estimatedRows !== null && estimatedRows >= (span + 1) * DENSE
  if (dense) return { estimatedRows, measuredBy: 'key' }
  const waypoints = await readWaypoints(query, plan, first, end)
  if (waypoints !== null) return { estimatedRows, measuredBy: 'waypoints', waypoints }
  return { estimatedRows, measuredBy: span === null ? 'rows' : 'key' }
}

// A number of rows by statistics; what is measured along the key is right of itself.
const ROWS_MAY_BE_OFF = 1.5

/** What a report tells of a walk's way. */
export function walkShare(progress: WalkProgress): { fraction: number | null; wholeMayBeOff?: number } {
  const fraction = walkFraction(progress)
  return progress.measuredBy === 'rows' ? { fraction, wholeMayBeOff: ROWS_MAY_BE_OFF } : { fraction }
}

/** The share of the walk that is done, 0 to below 1; null when it can't be told. */
export function walkFraction(progress: WalkProgress): number | null {
  const { first, lower, end, estimatedRows, measuredBy, waypoints, doneInLanes } = progress
  if (doneInLanes !== undefined) return share(doneInLanes, 1)
  if (lower === undefined || first === undefined) return 0
  if (measuredBy === 'waypoints' && waypoints !== undefined && end !== undefined) {
    const [from, at, to] = [first, lower, end].map((key) => keyPosition(waypoints, key))
    if (from == null || at == null || to == null) return null
    return share(at - from, to - from)
  }
  if (measuredBy === 'key' && end !== undefined) {
    const [done, whole] = [wholeDistance(first[0], lower[0]), wholeDistance(first[0], end[0])]
    return done === null || whole === null ? null : share(done + 1, whole + 1)
  }
  if (typeof estimatedRows !== 'number' || estimatedRows <= 0) return null
  return shareOfRows(savedCount(progress, 'walked') / estimatedRows)
}

function share(done: number, whole: number): number | null {
  return whole > 0 ? Math.min(ALMOST, Math.max(0, done / whole)) : null
}

// From here on the estimate isn't believed any more: what is left shrinks, but never to nothing.
const BELIEVED = 0.7

function shareOfRows(share: number): number {
  if (share <= BELIEVED) return share
  const doubtful = 1 - BELIEVED
  return Math.min(ALMOST, 1 - doubtful * Math.exp(-(share - BELIEVED) / doubtful))
}
