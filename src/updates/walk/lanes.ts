import type { ReadContext } from '../../databases/database.js'
import type { JsonObject } from '../../json.js'
import { cutKeys, sampleRowCount, type BoundedPosition } from '../../keyset/cuts.js'
import type { EncodedKey } from '../../keyset/encoding.js'
import { boundStatement, walkBounds, type WalkPlan } from '../../keyset/walk.js'
import type { BatchContext, BatchResult, Lanes, ProgressReport, Split, SplitRequest } from '../definition.js'
import { measure, walkFraction } from './fraction.js'
import { asOneWalk } from './joined-walk.js'
import { walkedOver } from './over.js'
import { savedCount, savedKeys, type WalkProgress } from './progress.js'

/** What a kind of walk adds to its lanes. */
export interface LanedWalk<Tx> {
  /** The option of the update. */
  readonly wanted: number | undefined
  readonly plan: (context: ReadContext) => Promise<WalkPlan>
  /** Whether it is in its walk, not before or behind it. */
  readonly isWalking: (progress: JsonObject) => boolean
  readonly batch: (context: BatchContext<Tx, JsonObject, never>) => Promise<BatchResult<unknown>>
  /** What is left to do when the walk is over; the progress has its end as `lower`. */
  readonly afterWalk: (progress: JsonObject) => { readonly progress: JsonObject; readonly done: boolean }
  readonly report: (progress: JsonObject) => ProgressReport
}

// A range of fewer batches is over before it would have paid to share it.
const MIN_BATCHES = 10

/** The lanes of an update that walks a table: ranges of its key, each with a progress as a whole walk has it. */
export function walkLanes<Tx>(walk: LanedWalk<Tx>): Lanes<Tx> {
  return {
    wanted: walk.wanted,
    batch: walk.batch,
    rowsLeft,
    split: async (context, progress, request) =>
      walk.isWalking(progress) ? splitWalk(context, await walk.plan(context), progress, request) : null,
    divide: async (context, lane, request) => divideLane(context, await walk.plan(context), lane, request),
    join: (whole, lanes) => walk.afterWalk(asOneWalk(whole, lanes, 'ended')),
    report: (whole, lanes) => walk.report(asOneWalk(whole, lanes, 'under way')),
  }
}

async function splitWalk(
  { query }: ReadContext,
  plan: WalkPlan,
  progress: WalkProgress,
  { updateName, lanes, batchSize }: SplitRequest,
): Promise<Split | null> {
  const over = walkedOver(updateName, progress.over, plan)
  const saved = savedKeys(updateName, progress, plan)
  const bounds = await walkBounds(query, plan)
  if (bounds === null) return null
  const position = { first: saved.first ?? bounds.first, lower: saved.lower ?? null, end: saved.end ?? bounds.end }
  const measured = progress.measuredBy === undefined ? await measure(query, plan, position) : progress
  const rows = measured.estimatedRows ?? (await sampleRowCount(query, plan))
  const whole: WalkProgress = {
    ...progress,
    ...measured,
    over,
    first: position.first,
    end: position.end,
    walked: savedCount(progress, 'walked'),
    changed: savedCount(progress, 'changed'),
    estimatedRows: rows,
  }
  const left = rows * (1 - (walkFraction(whole) ?? 0))
  const parts = Math.min(lanes, Math.floor(left / (MIN_BATCHES * batchSize)))
  if (parts < 2) return null
  const cuts = await cutKeys(query, plan, position, parts)
  if (cuts.length === 0) return null
  const share = Math.ceil(left / (cuts.length + 1))
  const ends = [...cuts, position.end]
  return {
    whole,
    lanes: ends.map((end, index) =>
      index === 0 && position.lower === null
        ? laneOf(whole, position.first, null, end, share)
        : laneOf(whole, cuts[index - 1] ?? position.lower ?? position.first, 'begun', end, share),
    ),
  }
}

async function divideLane(
  { query }: ReadContext,
  plan: WalkPlan,
  lane: WalkProgress,
  { updateName, batchSize }: Omit<SplitRequest, 'lanes'>,
): Promise<readonly [kept: JsonObject, added: JsonObject] | null> {
  const { first, lower = null, end } = savedKeys(updateName, lane, plan)
  if (first === undefined || end === undefined || end === null) return null
  const position: BoundedPosition = { first, lower, end }
  const enough = boundStatement(plan, position, MIN_BATCHES * batchSize)
  if ((await query(enough.text, enough.values)).rows.length === 0) return null
  const [cut] = await cutKeys(query, plan, position, 2)
  if (cut === undefined) return null
  const half = Math.ceil(Math.max(rowsLeft(lane), MIN_BATCHES * batchSize) / 2)
  return [
    { ...lane, end: cut, estimatedRows: savedCount(lane, 'walked') + half },
    laneOf(lane, cut, 'begun', end, half),
  ]
}

// `first` alone is the first key itself; with `begun` it is the key that everything in the lane is behind.
function laneOf(
  whole: WalkProgress,
  first: EncodedKey,
  start: 'begun' | null,
  end: EncodedKey,
  estimatedRows: number,
): WalkProgress {
  return {
    ...(whole.over === undefined ? {} : { over: whole.over }),
    first,
    ...(start === null ? {} : { lower: first }),
    end,
    walked: 0,
    changed: 0,
    estimatedRows,
    measuredBy: whole.measuredBy === 'key' ? 'key' : 'rows',
  }
}

function rowsLeft(lane: JsonObject): number {
  const { estimatedRows } = lane as WalkProgress
  return Math.max(0, (estimatedRows ?? 0) * (1 - (walkFraction(lane) ?? 0)))
}
