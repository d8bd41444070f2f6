import type { Query, Statement } from '../../databases/database.js'
import {
  boundStatement,
  nextRange,
  walkBounds,
  type KeyRange,
  type KeySlice,
  type WalkPlan,
  type WalkPosition,
} from '../../keyset/walk.js'
import type { BatchResult, Measured, UpdateIdentity } from '../definition.js'
import type { StatementSample } from '../../pacing/statement-size.js'
import { measure } from './fraction.js'
import { walkedOver } from './over.js'
import { savedCount, savedKeys, type WalkProgress } from './progress.js'

/** One step of a walk. */
export interface WalkStep {
  readonly progress: WalkProgress
  /** Rows walked over. */
  readonly items: number
  /** Nothing is left to walk. */
  readonly finished: boolean
  /** What it took to find where the walk begins and ends, in ms. */
  readonly overheadMs: number
  /** What its slices took; undefined when there were none. */
  readonly statement?: StatementSample
  /** What the next step will ask first. */
  readonly ahead?: (batchSize: number, statementSize: number) => Statement
}

/** What a step of a walk needs of the batch. */
export interface WalkContext {
  readonly query: Query
  readonly batchSize: number
  readonly statementSize: number
  readonly rest: () => Promise<void>
  readonly measured: Measured
  readonly update: UpdateIdentity
}

/** What is done with the rows of a step. Either way it resolves to how many rows were changed. */
export type WalkWork =
  | { readonly work: (range: KeyRange) => Promise<number> }
  /** For statements that are ours alone: each slice is small enough to let others at the processor behind it. */
  | { readonly slice: (slice: KeySlice, changedBefore: number, query: Query) => Promise<number> }

/**
 * Takes the next range of the walk that `progress` tells of and hands it to `work`, or its slices one by one to `slice`.
 * The first step finds where the walk begins and ends.
 */
export async function walkBatch(
  context: WalkContext,
  plan: WalkPlan,
  progress: WalkProgress,
  { follow = false, ...work }: { readonly follow?: boolean } & WalkWork,
): Promise<WalkStep> {
  const over = walkedOver(context.update.name, progress.over, plan)
  const fromMs = performance.now()
  const position = await positionOf(context, plan, progress, follow)
  const { query, batchSize } = context
  const measured = position !== null && progress.measuredBy === undefined ? await measure(query, plan, position) : {}
  const overheadMs = performance.now() - fromMs
  const every = 'slice' in work ? context.statementSize : batchSize
  const range = position === null ? null : await next(context, plan, position, every)
  const walked = savedCount(progress, 'walked')
  const changed = savedCount(progress, 'changed')
  if (position === null || range === null) {
    return { progress: { ...progress, walked, changed }, items: 0, overheadMs, finished: true }
  }
  const done = range.rows === 0 ? { changed: 0 } : await workOn(range, work, context)
  const { first, end } = position
  return {
    progress: {
      ...progress,
      over,
      first,
      lower: range.upper,
      ...(end === null ? {} : { end }),
      walked: walked + range.rows,
      changed: changed + done.changed,
      ...measured,
    },
    items: range.rows,
    overheadMs,
    finished: range.last,
    ...(done.statement === undefined ? {} : { statement: done.statement }),
    ahead: (nextSize, nextEvery) =>
      boundStatement(plan, { first, lower: range.upper, end }, nextSize, 'slice' in work ? nextEvery : nextSize),
  }
}

async function next(
  { measured, batchSize }: WalkContext,
  plan: WalkPlan,
  position: WalkPosition,
  every: number,
): Promise<KeyRange | null> {
  const { value } = await measured((query) => nextRange(query, plan, position, batchSize, every))
  return value
}

async function workOn(
  range: KeyRange,
  work: WalkWork,
  { query, rest, measured }: WalkContext,
): Promise<{ readonly changed: number; readonly statement?: StatementSample }> {
  if ('work' in work) return { changed: await work.work(range) }
  const [first, ...others] = range.slices
  if (first === undefined) return { changed: 0 }
  const timed = async (slice: KeySlice, changedBefore: number, own: Query) => {
    const startedMs = performance.now()
    const rows = await work.slice(slice, changedBefore, own)
    return { rows, ms: performance.now() - startedMs }
  }
  // The server's own time of one tells of all, and each measurement is two statements more.
  const { value, serverMs } = await measured(
    (own) => timed(first, 0, own),
    (own) => work.slice(range.nothing, 0, own),
  )
  let [changed, durationMs] = [value.rows, value.ms]
  for (const slice of others) {
    await rest()
    const { rows, ms } = await timed(slice, changed, query)
    changed += rows
    // The last one may be smaller.
    if (slice.rows === first.rows) durationMs = Math.min(durationMs, ms)
  }
  return { changed, statement: { items: first.rows, durationMs, ...(serverMs === null ? {} : { serverMs }) } }
}

/** What a batch hands back that was one step of a walk. */
export function resultOf({
  items,
  progress,
  finished,
  overheadMs,
  ahead,
  statement,
}: WalkStep): BatchResult<WalkProgress> {
  return {
    items,
    progress,
    done: finished,
    overheadMs,
    ...(ahead === undefined ? {} : { ahead }),
    ...(statement === undefined ? {} : { statement }),
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
