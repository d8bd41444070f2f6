import type { Database, Query } from '../databases/database.js'
import { LeaseLostError } from '../errors.js'
import { tablesOf, type Tables } from '../schema/tables.js'
import type { Lease } from './lease.js'
import { parseDependsOn, type QueueRow, type QueueRowDetails, type RowState } from './row.js'
import { queueStatements, type QueueStatements } from './statements.js'

/** What a claimed row remembers for its next runner. */
export interface ClaimedState {
  readonly tunerJson: string | null
  readonly statisticsJson: string | null
}

/** What a committed batch writes into its row. */
export interface BatchRecord {
  readonly progressJson: string
  readonly items: number
  readonly busyMs: number
  readonly batchSize: number | null
  readonly tunerJson: string | null
  readonly statisticsJson: string
}

/** How an update ended. */
export type Outcome = 'completed' | 'cancelled' | 'not applicable'

export interface Ending {
  readonly outcome: Outcome
  readonly by: string | null
  readonly reason: string | null
  /** The last progress; null keeps the row's. */
  readonly progressJson: string | null
  /** What the last batch added. */
  readonly batches: number
  readonly items: number
  readonly busyMs: number
}

interface RawRow {
  name: string
  ordering: number
  dependson: string | null
  state: RowState
  stateby: string | null
  statereason: string | null
  attempts: number
  lasterror: string | null
  backsoffuntil: string | null
  leaseowner: string | null
  leaseuntil: string | null
}

interface RawDetails extends RawRow {
  progressjson: string | null
  enqueuedat: string | null
  startedat: string | null
  batches: number
  items: number
  busyms: number
  failures: number
  batchsize: number | null
  statisticsjson: string | null
}

const PAGE = 100
// Below any ordering that an INTEGER column holds.
const BEFORE_ALL_ORDERINGS = -(2 ** 40)

/** The queue of one database as SQL. It knows rows and leases, not handlers. */
export class QueueStore<Tx> {
  readonly tables: Tables
  readonly #database: Database<Tx>
  readonly #statements: QueueStatements

  constructor(database: Database<Tx>, schema?: string) {
    this.#database = database
    this.tables = tablesOf(database.dialect, schema)
    this.#statements = queueStatements(this.tables)
  }

  /** One statement in autocommit, on a connection of its own. */
  readonly read: Query = (text, values) => this.#database.session((session) => session.query(text, values))

  /** A query bound to a transaction. */
  within(tx: Tx): Query {
    return (text, values) => this.#database.query(tx, text, values)
  }

  /** Queued rows among `names`, in the order in which they should run, a page at a time. */
  async *candidates(names: readonly string[]): AsyncGenerator<QueueRow[]> {
    let ordering = BEFORE_ALL_ORDERINGS
    let name = ''
    for (;;) {
      const { rows } = await this.read<RawRow>(this.#statements.candidates, [
        JSON.stringify(names),
        ordering,
        name,
        PAGE,
      ])
      yield rows.map(toRow)
      const last = rows.at(-1)
      if (rows.length < PAGE || last === undefined) return
      ordering = last.ordering
      name = last.name
    }
  }

  async rows(): Promise<QueueRow[]> {
    const { rows } = await this.read<RawRow>(this.#statements.allRows)
    return rows.map(toRow)
  }

  async details(): Promise<QueueRowDetails[]> {
    const { rows } = await this.read<RawDetails>(this.#statements.allDetails)
    return rows.map(toDetails)
  }

  async queuedAmong(names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set()
    const { rows } = await this.read<{ name: string }>(this.#statements.queuedAmong, [JSON.stringify(names)])
    return new Set(rows.map((row) => row.name))
  }

  async finishedAmong(names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set()
    const { rows } = await this.read<{ name: string }>(this.#statements.finishedAmong, [JSON.stringify(names)])
    return new Set(rows.map((row) => row.name))
  }

  async isEmpty(): Promise<boolean> {
    return (await this.read(this.#statements.anyQueued)).rows.length === 0
  }

  async lastOutcome(name: string): Promise<Outcome | null> {
    const { rows } = await this.read<{ outcome: Outcome }>(this.#statements.lastOutcome, [name])
    return rows[0]?.outcome ?? null
  }

  /** Takes the row if nobody else holds it; null when somebody does, or when it isn't queued any more. */
  async claim(lease: Lease, leaseMs: number): Promise<ClaimedState | null> {
    const { rows } = await this.read<{ tunerjson: string | null; statisticsjson: string | null }>(
      this.#statements.claim,
      [lease.updateName, lease.owner, lease.token, leaseMs],
    )
    const row = rows[0]
    return row ? { tunerJson: row.tunerjson, statisticsJson: row.statisticsjson } : null
  }

  /** False when the lease isn't ours any more. */
  async renew(lease: Lease, leaseMs: number): Promise<boolean> {
    const { rowCount } = await this.read(this.#statements.renew, [lease.updateName, lease.token, leaseMs])
    return rowCount > 0
  }

  /** Gives the lease back, so that another runner can go on at once; false when it wasn't ours any more. */
  async release(lease: Lease): Promise<boolean> {
    return (await this.read(this.#statements.release, [lease.updateName, lease.token])).rowCount > 0
  }

  /** The saved progress, when the row is still ours and may run; read in the batch's own transaction. */
  async fence(query: Query, lease: Lease): Promise<string> {
    const { rows } = await query<{ progressjson: string | null }>(this.#statements.fence, [
      lease.updateName,
      lease.token,
    ])
    const row = rows[0]
    if (!row) throw new LeaseLostError(lease.updateName)
    return row.progressjson ?? '{}'
  }

  async saveBatch(query: Query, lease: Lease, record: BatchRecord, leaseMs: number): Promise<void> {
    const { rowCount } = await query(this.#statements.saveBatch, [
      lease.updateName,
      lease.token,
      record.progressJson,
      record.items,
      record.busyMs,
      record.batchSize,
      record.tunerJson,
      record.statisticsJson,
      leaseMs,
    ])
    if (rowCount === 0) throw new LeaseLostError(lease.updateName)
  }

  /** The row leaves the queue and what it did enters the history; in the batch's own transaction. */
  async finish(query: Query, lease: Lease, ending: Ending): Promise<void> {
    await this.#remember(query, lease.updateName, ending)
    const { rowCount } = await query(this.#statements.deleteOwn, [lease.updateName, lease.token])
    if (rowCount === 0) throw new LeaseLostError(lease.updateName)
  }

  /** The same for a row that nobody's batch ends: a person cancels it. False when it isn't queued. */
  async remove(query: Query, name: string, ending: Ending): Promise<boolean> {
    await this.#remember(query, name, ending)
    return (await query(this.#statements.deleteAny, [name])).rowCount > 0
  }

  async #remember(query: Query, name: string, ending: Ending): Promise<void> {
    await query(this.#statements.remember, [
      name,
      ending.outcome,
      ending.by,
      ending.reason,
      ending.progressJson,
      ending.batches,
      ending.items,
      ending.busyMs,
    ])
  }

  async countersOfFailure(query: Query, lease: Lease): Promise<{ attempts: number; outcomes: string } | null> {
    const { rows } = await query<{ attempts: number; outcomes: string }>(this.#statements.countersOfFailure, [
      lease.updateName,
      lease.token,
    ])
    return rows[0] ?? null
  }

  /** Writes a failure and gives the lease back. Resolves to the moment at which its back-off ends, as the row has it. */
  async saveFailure(
    query: Query,
    lease: Lease,
    failure: { state: RowState; attempts: number; outcomes: string; error: string; backOffMs: number },
  ): Promise<string | null> {
    const { rows } = await query<{ retryat: string | null }>(this.#statements.saveFailure, [
      lease.updateName,
      lease.token,
      failure.state,
      failure.attempts,
      failure.outcomes,
      failure.error,
      failure.backOffMs,
    ])
    return rows[0]?.retryat ?? null
  }

  async pause(name: string, by: string | null, reason: string | null): Promise<boolean> {
    return (await this.read(this.#statements.pause, [name, by, reason])).rowCount > 0
  }

  async resume(name: string): Promise<boolean> {
    return (await this.read(this.#statements.resume, [name])).rowCount > 0
  }

  async retry(query: Query, name: string): Promise<boolean> {
    return (await query(this.#statements.retry, [name])).rowCount > 0
  }

  async progressOf(query: Query, name: string): Promise<string | null> {
    const { rows } = await query<{ progressjson: string | null }>(this.#statements.progressOf, [name])
    const row = rows[0]
    return row ? (row.progressjson ?? '{}') : null
  }

  /** What the update's row held when it was completed last; null when it never was. */
  async completedProgress(query: Query, name: string): Promise<string | null> {
    const { rows } = await query<{ progressjson: string }>(this.#statements.lastCompleted, [name])
    return rows[0]?.progressjson ?? null
  }

  async replaceProgress(query: Query, name: string, progressJson: string): Promise<void> {
    await query(this.#statements.replaceProgress, [name, progressJson])
  }
}

function toRow(raw: RawRow): QueueRow {
  return {
    name: raw.name,
    ordering: raw.ordering,
    dependsOn: parseDependsOn(raw.dependson),
    state: raw.state,
    stateBy: raw.stateby,
    stateReason: raw.statereason,
    attempts: raw.attempts,
    lastError: raw.lasterror,
    backsOffUntil: raw.backsoffuntil,
    holder: raw.leaseowner === null ? null : { owner: raw.leaseowner, until: raw.leaseuntil ?? '' },
  }
}

function toDetails(raw: RawDetails): QueueRowDetails {
  return {
    ...toRow(raw),
    progressJson: raw.progressjson ?? '{}',
    enqueuedAt: raw.enqueuedat,
    startedAt: raw.startedat,
    batches: raw.batches,
    items: raw.items,
    busyMs: raw.busyms,
    failures: raw.failures,
    batchSize: raw.batchsize,
    statisticsJson: raw.statisticsjson,
  }
}
