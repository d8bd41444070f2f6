import type { Query } from '../../databases/database.js'
import { nextRange, walkBounds, type KeyRange, type WalkPlan, type WalkPosition } from '../../keyset/walk.js'
import type { UpdateIdentity } from '../definition.js'
import { measure } from './fraction.js'
import { savedCount, savedKeys, type WalkProgress } from './progress.js'

/** One step of a walk. */
export interface WalkStep {
  readonly progress: WalkProgress
  /** Rows walked over. */
  readonly items: number
  /** Nothing is left to walk. */
  readonly finished: boolean
}

/** What a step of a walk needs of the batch. */
export interface WalkContext {
  readonly query: Query
  readonly batchSize: number
  readonly update: UpdateIdentity
}

/**
 * Takes the next range of the walk that `progress` tells of and hands it to `work`, which returns how many rows it
 * changed. The first step finds where the walk begins and ends.
 */
export async function walkBatch(
  context: WalkContext,
  plan: WalkPlan,
  progress: WalkProgress,
  { follow = false, work }: { follow?: boolean; work: (range: KeyRange) => Promise<number> },
): Promise<WalkStep> {
  const position = await positionOf(context, plan, progress, follow)
  const range = position === null ? null : await nextRange(context.query, plan, position, context.batchSize)
  const walked = savedCount(progress, 'walked')
  const changed = savedCount(progress, 'changed')
  if (position === null || range === null) {
    return { progress: { ...progress, walked, changed }, items: 0, finished: true }
  }
  const changedNow = range.rows === 0 ? 0 : await work(range)
  const { first, end } = position
  return {
    progress: {
      ...progress,
      first,
      lower: range.upper,
      ...(end === null ? {} : { end }),
      walked: walked + range.rows,
      changed: changed + changedNow,
      ...(progress.measuredBy === undefined ? measure(plan, position) : {}),
    },
    items: range.rows,
    finished: range.last,
  }
}

async function positionOf(
  { query, update }: WalkContext,
  plan: WalkPlan,
  progress: WalkProgress,
  follow: boolean,
): Promise<WalkPosition | null> {
  const saved = savedKeys(update.name, progress, plan)
  const lower = saved.lower ?? null
  if (saved.first !== undefined && (follow || saved.end !== undefined)) {
    return { first: saved.first, lower, end: follow ? null : (saved.end ?? null) }
  }
  const bounds = await walkBounds(query, plan)
  if (bounds === null) return null
  return { first: saved.first ?? bounds.first, lower, end: follow ? null : (saved.end ?? bounds.end) }
}
