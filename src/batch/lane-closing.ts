import type { Query, Statement } from '../databases/database.js'
import { LeaseLostError } from '../errors.js'
import type { BatchRecord } from '../queue/batch-record.js'
import type { FencedLane } from '../queue/lane-store.js'
import { parseProgress } from '../queue/row.js'
import type { BatchedUpdate } from '../updates/definition.js'
import { durableCommit } from './transaction-settings.js'
import type { BatchPlan, Surroundings } from './work.js'

/** How the batch of a lane ends. */
export interface LaneClosing {
  readonly closing: readonly Statement[]
  /** The update has left the queue with this batch. */
  readonly done: boolean
}

/** What was done in a lane's batch. */
export interface LaneBatch {
  readonly record: BatchRecord
  readonly fenced: FencedLane
  /** It was the last of its lane. */
  readonly laneEnded: boolean
}

/**
 * The last statements of a lane's batch. When its lane has ended, the update is locked: of two lanes that end at the
 * same time the second sees the first, and takes the update on to what comes behind the walk.
 */
export async function closeLane<Tx>(
  { store, database, leaseMs }: Surroundings<Tx>,
  definition: BatchedUpdate<Tx, never>,
  query: Query,
  { lease, limits }: BatchPlan,
  { record, fenced, laneEnded }: LaneBatch,
): Promise<LaneClosing> {
  const saving = store.lanes.saving(lease, record, leaseMs, fenced)
  if (!laneEnded) return { closing: saving, done: false }
  const { name } = definition
  const whole = await store.lanes.lockUpdate(query, name)
  if (whole === null) throw new LeaseLostError(name)
  const others = (await store.lanes.rows(name, query)).filter(({ lane }) => lane !== lease.lane)
  if (others.some(({ finished }) => !finished)) {
    return { closing: [...saving, ...store.lanes.finishing(lease)], done: false }
  }
  const lanes = [...others, record].map(({ progressJson }) => parseProgress(name, progressJson))
  const joined = definition.lanes?.join(parseProgress(name, whole), lanes)
  if (joined === undefined) throw new TypeError(`update "${name}" has lanes, but its definition has none`)
  const progressJson = JSON.stringify(joined.progress)
  if (!joined.done) return { closing: [...saving, ...store.lanes.joining(lease, progressJson, record)], done: false }
  const ending = {
    outcome: 'completed',
    by: lease.owner,
    reason: null,
    progressJson,
    // The row has counted this batch already.
    batches: 0,
    items: 0,
    busyMs: 0,
  } as const
  return {
    closing: [...saving, ...durableCommit(database.dialect, limits), ...store.finishingLanes(name, ending)],
    done: true,
  }
}
