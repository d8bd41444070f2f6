import type { Database, Query, Statement, TransactionOptions } from '../databases/database.js'
import { withinTime } from '../databases/time-limit.js'
import { LeaseLostError } from '../errors.js'
import { tablesOf, type Tables } from '../schema/tables.js'
import type { BatchRecord, ClaimedState } from './batch-record.js'
import { knownNames } from './known-names.js'
import { historyStatements, type HistoryStatements } from './history-statements.js'
import { fenceStatement, NOBODY_BEFORE, readFence, type Precedence } from './fence.js'
import { LaneStore } from './lane-store.js'
import type { Lease } from './lease.js'
import { toDetails, toRow, type RawDetails, type RawRow } from './raw-row.js'
import type { QueueRow, QueueRowDetails, RowState } from './row.js'
import { queueStatements, type QueueStatements } from './statements.js'

interface RawClaimed {
  tunerjson: string | null
  statisticsjson: string | null
  fingerprint: string | null
  batches: number
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

const PAGE = 100

const ANSWER_MS = 30_000
// For what nobody's work depends on.
const BRIEFLY_MS = 2_000
// Below any ordering that an INTEGER column holds.
const BEFORE_ALL_ORDERINGS = -(2 ** 40)

/** The queue of one database as SQL. It knows rows and leases, not handlers. */
export class QueueStore<Tx> {
  readonly tables: Tables
  /** The ranges of updates that were split. */
  readonly lanes: LaneStore
  readonly #database: Database<Tx>
  readonly #statements: QueueStatements
  readonly #history: HistoryStatements
  readonly #answerMs: number

  /** `answerMs`: how long a statement of ours may take, its wait for a connection and for a lock of others included. */
  constructor(database: Database<Tx>, schema?: string, answerMs = ANSWER_MS) {
    this.#database = database
    this.#answerMs = answerMs
    this.tables = tablesOf(database.dialect, schema)
    this.#statements = queueStatements(this.tables)
    this.#history = historyStatements(this.tables)
    this.lanes = new LaneStore(this.tables, this.ask)
  }

  /** One statement in autocommit, on a connection of its own: for questions of others, which take as long as they take. */
  readonly read: Query = (text, values) => this.#database.session((session) => session.query(text, values))

  /** The same for our own statements, which are short. */
  readonly ask: Query = (text, values) =>
    this.soon((options) => this.#database.session((session) => session.query(text, values), options))

  readonly #briefly: Query = (text, values) =>
    this.soon((options) => this.#database.session((session) => session.query(text, values), options), BRIEFLY_MS)

  /** Gives up on a database that doesn't answer. Where one connection does everything, waiting for it is no silence. */
  soon<T>(work: (options: TransactionOptions) => Promise<T>, ms = this.#answerMs, signal?: AbortSignal): Promise<T> {
    if (!this.#database.capabilities.concurrentTransactions) return work({})
    return withinTime(ms, (limit) => work({ signal: limit }), signal)
  }

  /** A query bound to a transaction. */
  within(tx: Tx): Query {
    return (text, values) => this.#database.query(tx, text, values)
  }

  /** Queued rows among `names`, in the order in which they should run, a page at a time. */
  async *candidates(names: readonly string[]): AsyncGenerator<QueueRow[]> {
    const known = knownNames(names)
    const statement = known.many ? this.#statements.candidatesOfAll : this.#statements.candidates
    const among = known.many ? [] : [known.json]
    let ordering = BEFORE_ALL_ORDERINGS
    let name = ''
    for (;;) {
      const { rows } = await this.ask<RawRow>(statement, [ordering, name, PAGE, ...among])
      yield (known.many ? rows.filter((row) => known.among.has(row.name)) : rows).map(toRow)
      const last = rows.at(-1)
      if (rows.length < PAGE || last === undefined) return
      ordering = last.ordering
      name = last.name
    }
  }

  async rows(): Promise<QueueRow[]> {
    const { rows } = await this.ask<RawRow>(this.#statements.allRows)
    return rows.map(toRow)
  }

  async details(): Promise<QueueRowDetails[]> {
    const { rows } = await this.ask<RawDetails>(this.#statements.allDetails)
    return rows.map(toDetails)
  }

  async queuedAmong(names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set()
    const { rows } = await this.ask<{ name: string }>(this.#statements.queuedAmong, [JSON.stringify(names)])
    return new Set(rows.map((row) => row.name))
  }

  async finishedAmong(names: readonly string[]): Promise<Set<string>> {
    if (names.length === 0) return new Set()
    const { rows } = await this.ask<{ name: string }>(this.#history.finishedAmong, [JSON.stringify(names)])
    return new Set(rows.map((row) => row.name))
  }

  async isEmpty(): Promise<boolean> {
    return (await this.ask(this.#statements.anyQueued)).rows.length === 0
  }

  async lastOutcome(name: string): Promise<Outcome | null> {
    const { rows } = await this.ask<{ outcome: Outcome }>(this.#history.lastOutcome, [name])
    return rows[0]?.outcome ?? null
  }

  /** Takes the row if nobody else holds it; null when somebody does, or when it isn't queued any more. */
  async claim(lease: Lease, leaseMs: number, fingerprint: string | null): Promise<ClaimedState | null> {
    const values = [lease.updateName, lease.owner, lease.token, leaseMs, fingerprint]
    const { rows } = await this.ask<RawClaimed>(this.#statements.claim, values)
    const row = rows[0]
    if (row === undefined) return null
    const { tunerjson: tunerJson, statisticsjson: statisticsJson, batches } = row
    return { tunerJson, statisticsJson, fingerprint: row.fingerprint, batches }
  }

  /** False when the lease isn't ours any more. */
  async renew(lease: Lease, leaseMs: number, signal?: AbortSignal): Promise<boolean> {
    const values = [lease.updateName, lease.token, leaseMs]
    const query: Query = (text, parameters) =>
      this.soon(
        (options) => this.#database.session((session) => session.query(text, parameters), options),
        leaseMs,
        signal,
      )
    if (lease.lane !== null) return this.lanes.renew(lease, leaseMs, query)
    return (await query(this.#statements.renew, values)).rowCount > 0
  }

  /** Says in the row why its runner waits, for whoever asks; believed for `ms`. */
  async tell(name: string, text: string, ms: number): Promise<void> {
    await this.#briefly(this.#statements.tell, [name, text, ms])
  }

  /** Gives the lease back, so that another runner can go on at once; false when it wasn't ours any more. */
  async release(lease: Lease): Promise<boolean> {
    if (lease.lane !== null) return this.lanes.release(lease, this.#briefly)
    return (await this.#briefly(this.#statements.release, [lease.updateName, lease.token])).rowCount > 0
  }

  /** The saved progress, when the row is still ours and may run. */
  async fence(query: Query, lease: Lease): Promise<string> {
    const { text, values } = this.fenceStatement(lease, NOBODY_BEFORE)
    return readFence(await query(text, values), lease, NOBODY_BEFORE).progressJson
  }

  /** The first statement of a batch, in its own transaction; `readFence` reads its answer. */
  fenceStatement(lease: Lease, precedence: Precedence): Statement {
    return fenceStatement(this.#statements, lease, precedence)
  }

  /** The last statements of a batch, in its own transaction. They fail unless the row is still ours. */
  saving(lease: Lease, record: BatchRecord, leaseMs: number): readonly Statement[] {
    const values = [
      lease.updateName,
      lease.token,
      record.progressJson,
      record.items,
      record.busyMs,
      record.batchSize,
      record.tunerJson,
      record.statisticsJson,
      leaseMs,
      record.waitingText,
    ]
    return [{ text: this.#statements.saveBatch, values, orElse: () => new LeaseLostError(lease.updateName) }]
  }

  /** The same for the last batch: the row leaves the queue and what it did enters the history. */
  finishing(lease: Lease, ending: Ending): readonly Statement[] {
    return [
      this.#remembering(lease.updateName, ending),
      {
        text: this.#statements.deleteOwn,
        values: [lease.updateName, lease.token],
        orElse: () => new LeaseLostError(lease.updateName),
      },
    ]
  }

  /** Behind `lanes.saving`: the last lane has ended and with it the update, which the caller has locked. */
  finishingLanes(updateName: string, ending: Ending): readonly Statement[] {
    return [this.#remembering(updateName, ending), { text: this.#statements.deleteAny, values: [updateName] }]
  }

  /** The same for a row that nobody's batch ends: a person cancels it. False when it isn't queued. */
  async remove(query: Query, name: string, ending: Ending): Promise<boolean> {
    // First, so that the history counts a batch that commits while we wait for it. SQLite's one writer is we already.
    if (this.tables.dialect === 'postgres') await this.lanes.lockUpdate(query, name)
    const { text, values } = this.#remembering(name, ending)
    await query(text, values)
    return (await query(this.#statements.deleteAny, [name])).rowCount > 0
  }

  #remembering(name: string, ending: Ending): Statement {
    const values = [
      name,
      ending.outcome,
      ending.by,
      ending.reason,
      ending.progressJson,
      ending.batches,
      ending.items,
      ending.busyMs,
    ]
    return { text: this.#history.remember, values }
  }

  async countersOfFailure(query: Query, lease: Lease): Promise<{ attempts: number; outcomes: string } | null> {
    if (lease.lane !== null) return this.lanes.countersOfFailure(query, lease)
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
    if (lease.lane !== null) return this.lanes.saveFailure(query, lease, failure)
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
    return (await this.ask(this.#statements.pause, [name, by, reason])).rowCount > 0
  }

  /** The engine pauses what it holds, because a person has to decide; false when it isn't ours any more. */
  async pauseOwn(lease: Lease, by: string, reason: string, error: string): Promise<boolean> {
    if (lease.lane !== null) return this.lanes.pauseOwn(lease, by, reason, error)
    const values = [lease.updateName, lease.token, by, reason, error]
    return (await this.ask(this.#statements.pauseOwn, values)).rowCount > 0
  }

  /** Lets the definition with this fingerprint go on from the progress that is there; null lets any. */
  async acceptDefinition(query: Query, name: string, fingerprint: string | null): Promise<void> {
    await query(this.#statements.acceptDefinition, [name, fingerprint])
  }

  async resume(query: Query, name: string): Promise<boolean> {
    return (await query(this.#statements.resume, [name])).rowCount > 0
  }

  async retry(query: Query, name: string): Promise<boolean> {
    const queued = (await query(this.#statements.retry, [name])).rowCount > 0
    if (queued) await this.lanes.retry(query, name)
    return queued
  }

  async progressOf(query: Query, name: string): Promise<string | null> {
    const { rows } = await query<{ progressjson: string | null }>(this.#statements.progressOf, [name])
    const row = rows[0]
    return row ? (row.progressjson ?? '{}') : null
  }

  /** What the update's row held when it was completed last; null when it never was. */
  async completedProgress(query: Query, name: string): Promise<string | null> {
    const { rows } = await query<{ progressjson: string }>(this.#history.lastCompleted, [name])
    return rows[0]?.progressjson ?? null
  }

  async replaceProgress(query: Query, name: string, progressJson: string): Promise<void> {
    await query(this.#statements.replaceProgress, [name, progressJson])
  }
}
