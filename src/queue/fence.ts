import type { QueryResult, Statement } from '../databases/database.js'
import { LeaseLostError } from '../errors.js'
import { knownNames } from './known-names.js'
import type { FencedLane } from './lane-store.js'
import type { Lease } from './lease.js'
import { parseDependsOn } from './row.js'
import type { QueueStatements } from './statements.js'

/** What a batch must not overtake: why and when, `QueueLook` tells. */
export interface Precedence {
  /** What the update depends on, as it was when it was picked. */
  readonly dependsOn: readonly string[]
  /** The updates that its runner may run; those before it in the queue go first. None: nobody was before it just now. */
  readonly names: readonly string[]
}

/** What the fence of a batch found. */
export interface Fence {
  readonly progressJson: string
  /** Another update may have to go first: the queue has to be looked at. */
  readonly overtaken: boolean
  /** Of a lane's batch. */
  readonly lane: FencedLane | null
}

interface RawFence {
  progressjson: string | null
  dependson: string | null
  overtaken: unknown
  laneversion: number | null
  lanefailed: unknown
}

/** For a batch that comes first whoever is queued. */
export const NOBODY_BEFORE: Precedence = { dependsOn: [], names: [] }

/** The first statement of a batch, in its own transaction; `readFence` reads its answer. */
export function fenceStatement(statements: QueueStatements, lease: Lease, { dependsOn, names }: Precedence): Statement {
  const values = [lease.updateName, lease.token, lease.owner, JSON.stringify(dependsOn)]
  const { fence, fenceOfMany, laneFence, laneFenceOfMany } = statements
  const known = knownNames(names)
  return known.many
    ? { text: lease.lane === null ? fenceOfMany : laneFenceOfMany, values }
    : { text: lease.lane === null ? fence : laneFence, values: [...values, known.json] }
}

/** @throws LeaseLostError when the row isn't ours any more or may not run */
export function readFence(
  { rows: [row] }: QueryResult<unknown>,
  lease: Lease,
  { dependsOn, names }: Precedence,
): Fence {
  if (row === undefined) throw new LeaseLostError(lease.updateName)
  const { progressjson, dependson, overtaken, laneversion, lanefailed } = row as RawFence
  // Somebody gave it other dependencies: they are looked at before the next batch.
  const changed = names.length > 0 && parseDependsOn(dependson).join() !== dependsOn.join()
  return {
    progressJson: progressjson ?? '{}',
    overtaken: changed || Boolean(overtaken),
    lane: lease.lane === null ? null : { version: laneversion ?? 0, failedBefore: Boolean(lanefailed) },
  }
}
