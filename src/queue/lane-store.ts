import type { Query, Statement } from '../databases/database.js'
import { LeaseLostError } from '../errors.js'
import type { Tables } from '../schema/tables.js'
import { laneStatements, type LaneStatements } from './lane-statements.js'
import type { Lease } from './lease.js'
import type { BatchRecord, ClaimedState } from './batch-record.js'
import type { RowState } from './row.js'

/** One range of an update that was split. */
export interface LaneRow {
  readonly updateName: string
  readonly lane: number
  readonly progressJson: string
  /** Grows with every change of its range or progress. */
  readonly version: number
  readonly finished: boolean
  readonly items: number
  readonly batches: number
  readonly batchSize: number | null
  readonly tunerJson: string | null
  readonly statisticsJson: string | null
  /** Failures in a row. */
  readonly attempts: number
  /** Who holds it by the database's clock, else null. */
  readonly owner: string | null
  /** ISO time in UTC while its back-off hasn't passed, else null. */
  readonly backsOffUntil: string | null
}

/** What the fence of a lane's batch found of it. */
export interface FencedLane {
  readonly version: number
  /** Its last batch failed. */
  readonly failedBefore: boolean
}

/** A lane that was claimed. */
export interface ClaimedLane extends ClaimedState {
  readonly lane: number
}

/** A lane was divided, or taken over, while its batch ran: the batch is rolled back and run anew. Never seen outside. */
export class LaneChangedError extends Error {
  constructor(updateName: string) {
    super(`a lane of update "${updateName}" was changed while its batch ran`)
  }
}

interface RawLane {
  updatename: string
  lane: number
  progressjson: string
  version: number
  finished: unknown
  items: number
  batches: number
  batchsize: number | null
  tunerjson: string | null
  statisticsjson: string | null
  attempts: number
  leaseowner: string | null
  backsoffuntil: string | null
}

interface RawClaim extends Pick<RawLane, 'lane' | 'tunerjson' | 'statisticsjson'> {
  fingerprint: string | null
  wholebatches: number
}

/** The lanes of split updates as SQL. */
export class LaneStore {
  readonly #read: Query
  readonly #statements: LaneStatements

  /** `read` runs one statement in autocommit. */
  constructor(tables: Tables, read: Query) {
    this.#read = read
    this.#statements = laneStatements(tables)
  }

  /** Turns an update that `lease` holds into lanes and lets go of it, in a transaction of the caller's. */
  async split(
    query: Query,
    lease: Lease,
    { whole, lanes, tunerJson }: { whole: string; lanes: readonly string[]; tunerJson: string | null },
  ): Promise<void> {
    const { rowCount } = await query(this.#statements.split, [lease.updateName, lease.token, whole, lanes.length])
    if (rowCount === 0) throw new LeaseLostError(lease.updateName)
    for (const [index, progressJson] of lanes.entries()) {
      await query(this.#statements.insert, [lease.updateName, index + 1, progressJson, null, tunerJson, null])
    }
  }

  /**
   * Takes a lane that nobody works on; null when there is none. An update that goes on with whichever definition runs
   * next is of this `fingerprint` from then on.
   */
  async claim(lease: Lease, leaseMs: number, fingerprint: string | null): Promise<ClaimedLane | null> {
    const values = [lease.updateName, lease.owner, lease.token, leaseMs]
    const [row] = (await this.#read<RawClaim>(this.#statements.claim, values)).rows
    if (row === undefined) return null
    const { lane, tunerjson: tunerJson, statisticsjson: statisticsJson, wholebatches: batches } = row
    const agreed = row.fingerprint ?? (await this.#adoptFingerprint(lease.updateName, fingerprint))
    return { lane, tunerJson, statisticsJson, fingerprint: agreed, batches }
  }

  /** The fingerprint that the update has then: of somebody else's definition, when that was faster. */
  async #adoptFingerprint(updateName: string, fingerprint: string | null): Promise<string | null> {
    if (fingerprint === null) return null
    const values = [updateName, fingerprint]
    const { rows } = await this.#read<{ fingerprint: string }>(this.#statements.adoptFingerprint, values)
    return rows[0]?.fingerprint ?? null
  }

  async renew(lease: Lease, leaseMs: number, query: Query): Promise<boolean> {
    const { rowCount } = await query(this.#statements.renew, [lease.updateName, lease.token, leaseMs])
    return rowCount > 0
  }

  async release(lease: Lease, query: Query): Promise<boolean> {
    return (await query(this.#statements.release, [lease.updateName, lease.token])).rowCount > 0
  }

  /** The update's progress; null when it has left the queue. It stays locked until the transaction ends. */
  async lockUpdate(query: Query, updateName: string): Promise<string | null> {
    const { rows } = await query<{ progressjson: string | null }>(this.#statements.lockUpdate, [updateName])
    const [row] = rows
    return row ? (row.progressjson ?? '{}') : null
  }

  /** The lanes of one update, or of all, in their order. */
  async rows(updateName: string | null, query: Query = this.#read): Promise<LaneRow[]> {
    const { rows } = await query<RawLane>(this.#statements.all, [updateName])
    return rows.map(toLane)
  }

  /** The last statements of a lane's batch. They fail unless the lane is still ours and as the fence found it. */
  saving(lease: Lease, record: BatchRecord, leaseMs: number, fenced: FencedLane): readonly Statement[] {
    const { updateName, token } = lease
    const { progressJson, items, busyMs, batchSize, tunerJson, statisticsJson, waitingText } = record
    return [
      {
        text: this.#statements.countBatch,
        values: [updateName, items, busyMs, batchSize, fenced.failedBefore, waitingText],
      },
      {
        text: this.#statements.saveBatch,
        values: [
          updateName,
          token,
          fenced.version,
          progressJson,
          items,
          busyMs,
          batchSize,
          tunerJson,
          statisticsJson,
          leaseMs,
        ],
        orElse: () => new LaneChangedError(updateName),
      },
    ]
  }

  /** Behind `saving`: the lane has ended, others have not. */
  finishing(lease: Lease): readonly Statement[] {
    return [{ text: this.#statements.finish, values: [lease.updateName, lease.token] }]
  }

  /** Behind `saving`: all lanes have ended, and the update goes on as one. */
  joining(lease: Lease, progressJson: string, { tunerJson, statisticsJson }: BatchRecord): readonly Statement[] {
    return [
      { text: this.#statements.join, values: [lease.updateName, progressJson, tunerJson, statisticsJson] },
      { text: this.#statements.deleteAll, values: [lease.updateName] },
    ]
  }

  async countersOfFailure(query: Query, lease: Lease): Promise<{ attempts: number; outcomes: string } | null> {
    if ((await this.lockUpdate(query, lease.updateName)) === null) return null
    const { rows } = await query<{ attempts: number; outcomes: string }>(this.#statements.countersOfFailure, [
      lease.updateName,
      lease.token,
    ])
    return rows[0] ?? null
  }

  async saveFailure(
    query: Query,
    { updateName, token }: Lease,
    failure: { state: RowState; attempts: number; outcomes: string; error: string; backOffMs: number },
  ): Promise<string | null> {
    const { state, attempts, outcomes, error, backOffMs } = failure
    await query(this.#statements.countFailure, [updateName, state, attempts, error])
    const values = [updateName, token, attempts, outcomes, backOffMs]
    const { rows } = await query<{ retryat: string | null }>(this.#statements.saveFailure, values)
    return rows[0]?.retryat ?? null
  }

  /** Pauses the update of a lane that is held, and gives the lane back; false when it isn't ours any more. */
  async pauseOwn(lease: Lease, by: string, reason: string, error: string): Promise<boolean> {
    const values = [lease.updateName, lease.token, by, reason, error]
    const { rowCount } = await this.#read(this.#statements.pauseOwn, values)
    await this.release(lease, this.#read)
    return rowCount > 0
  }

  async retry(query: Query, updateName: string): Promise<void> {
    await query(this.#statements.retry, [updateName])
  }

  /**
   * Gives the end of a lane to a new one, in a transaction of the caller's.
   *
   * @throws LaneChangedError when the lane isn't as it was read any more
   */
  async divide(query: Query, seen: LaneRow, kept: string, added: string): Promise<void> {
    const { rows } = await query<{ lanes: number }>(this.#statements.countLane, [seen.updateName])
    const values = [seen.updateName, seen.lane, seen.version, kept]
    const [update] = rows
    if (update === undefined || (await query(this.#statements.shorten, values)).rowCount === 0) {
      throw new LaneChangedError(seen.updateName)
    }
    await query(this.#statements.insert, [seen.updateName, update.lanes, added, seen.batchSize, seen.tunerJson, null])
  }

  /** Over all processes, at least 1. */
  async liveLeases(): Promise<number> {
    const { rows } = await this.#read<{ live: number }>(this.#statements.liveLeases)
    return Math.max(1, rows[0]?.live ?? 1)
  }
}

function toLane(raw: RawLane): LaneRow {
  return {
    updateName: raw.updatename,
    lane: raw.lane,
    progressJson: raw.progressjson,
    version: raw.version,
    finished: Boolean(raw.finished),
    items: raw.items,
    batches: raw.batches,
    batchSize: raw.batchsize,
    tunerJson: raw.tunerjson,
    statisticsJson: raw.statisticsjson,
    attempts: raw.attempts,
    owner: raw.leaseowner,
    backsOffUntil: raw.backsoffuntil,
  }
}
