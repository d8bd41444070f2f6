import type { EncodedKey } from '../../keyset/encoding.js'
import { keyPosition, wholeDistance } from '../../keyset/key-position.js'
import { savedCount, type WalkProgress } from './progress.js'

/**
 * The progress of a walk as if its lanes were one. While they are under way it is made for a report: how much is done,
 * not where. When they have ended, the end of the walk is done.
 */
export function asOneWalk(
  whole: WalkProgress,
  lanes: readonly WalkProgress[],
  state: 'under way' | 'ended',
): WalkProgress {
  const counted = { ...whole, walked: sum([whole, ...lanes], 'walked'), changed: sum([whole, ...lanes], 'changed') }
  if (state === 'ended') return { ...counted, ...(whole.end === undefined ? {} : { lower: whole.end }) }
  const doneInLanes = shareAlongKey(whole, lanes)
  if (doneInLanes !== null) return { ...counted, doneInLanes }
  // By rows, which are counted, wherever they are.
  return whole.first === undefined || counted.walked === 0 ? counted : { ...counted, lower: whole.first }
}

function sum(walks: readonly WalkProgress[], name: 'walked' | 'changed'): number {
  return walks.reduce((total, walk) => total + savedCount(walk, name), 0)
}

/** What the whole had done before it was split, and what each lane has done since; null when rows are counted. */
function shareAlongKey(whole: WalkProgress, lanes: readonly WalkProgress[]): number | null {
  const way = (from: EncodedKey | undefined, to: EncodedKey | undefined) =>
    from === undefined || to === undefined ? 0 : distance(whole, from, to)
  const length = way(whole.first, whole.end)
  const ways = [way(whole.first, whole.lower), ...lanes.map((lane) => way(lane.first, lane.lower))]
  let done = 0
  for (const each of ways) {
    if (each === null) return null
    done += each
  }
  return length === null || length <= 0 ? null : done / length
}

function distance({ measuredBy, waypoints }: WalkProgress, from: EncodedKey, to: EncodedKey): number | null {
  if (measuredBy === 'key') return wholeDistance(from[0], to[0])
  if (measuredBy !== 'waypoints' || waypoints === undefined) return null
  const [a, b] = [keyPosition(waypoints, from), keyPosition(waypoints, to)]
  return a === null || b === null ? null : b - a
}
