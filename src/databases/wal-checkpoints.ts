import { setImmediate as yieldToEventLoop } from 'node:timers/promises'
import type { Clock } from '../clock.js'
import type { Database, Query } from './database.js'

/** What a checkpoint of SQLite's write-ahead log found. */
export interface WalState {
  /** Bytes that the log holds. */
  readonly logBytes: number
  /** Bytes of it that aren't in the database yet, because a reader still needs what they would replace. */
  readonly behindBytes: number
  /** By the monotonic clock, in ms. */
  readonly atMs: number
}

interface CheckpointRow {
  busy: number
  log: number
  checkpointed: number
}

// While we copy the log ourselves between batches, SQLite does so at COMMIT only if we fell far behind. In pages.
const AUTO_CHECKPOINT_PAGES = 10_000

const PASSIVE = 'PRAGMA wal_checkpoint(PASSIVE)'
const TRUNCATE = 'PRAGMA wal_checkpoint(TRUNCATE)'

/**
 * Copies the write-ahead log of a SQLite database into it between batches. SQLite would do so at the COMMIT of a batch,
 * where it makes the batch twice as long. A checkpoint holds the event loop, so the rhythm follows from what the last
 * one took: one is due when it will take about as long as a batch may.
 */
export class WalCheckpoints<Tx> {
  readonly #database: Database<Tx>
  readonly #clock: Clock
  readonly #targetMs: number
  #state: WalState | null = null
  #pageBytes = 0
  // SQLite's own rhythm as we found it; null while it is in force.
  #autoCheckpoint: number | null = null
  // Time of batches since the last checkpoint, and what a checkpoint takes for each ms of it.
  #busyMs = 0
  #costPerMs = 1
  #updateEnded = false

  /** `targetMs` is how long a checkpoint should hold the event loop, in ms. */
  constructor(database: Database<Tx>, clock: Clock, targetMs: number) {
    this.#database = database
    this.#clock = clock
    this.#targetMs = targetMs
  }

  /** As the last checkpoint found it; null before the first, and when the database isn't in WAL mode. */
  get state(): WalState | null {
    return this.#state
  }

  /** An update has ended: after its last batch the log is emptied. */
  updateEnded(): void {
    this.#updateEnded = true
  }

  /** A batch was committed. */
  batchEnded(durationMs: number): void {
    this.#busyMs += durationMs
  }

  /** Between batches: copies the log when that is due. */
  async afterBatch(): Promise<void> {
    if (this.#updateEnded) return this.#empty()
    if (isCheckpointDue(this.#busyMs, this.#costPerMs, this.#targetMs)) await this.#passive()
  }

  /** One checkpoint now, for whoever wants to know how far behind it is while no batch runs. */
  look(): Promise<void> {
    return this.#passive()
  }

  /** Empties the log, if nobody reads in it, and leaves the rhythm to SQLite again. */
  async end(): Promise<void> {
    if (this.#autoCheckpoint === null && this.#busyMs === 0) return
    await this.#empty()
    const pages = this.#autoCheckpoint
    if (pages === null) return
    await this.#run(async (query) => {
      await query(`PRAGMA wal_autocheckpoint = ${pages}`)
      this.#autoCheckpoint = null
    })
  }

  async #empty(): Promise<void> {
    this.#updateEnded = false
    await this.#passive()
    // TRUNCATE locks writers out while it works: only when there is nothing left to copy.
    if (this.#state === null || this.#state.behindBytes > 0) return
    await this.#run(async (query) => this.#note((await query<CheckpointRow>(TRUNCATE)).rows[0]))
  }

  async #passive(): Promise<void> {
    // The batch has just held the event loop: others first.
    await yieldToEventLoop()
    await this.#run(async (query) => {
      if (this.#autoCheckpoint === null) await this.#begin(query)
      const startMs = performance.now()
      this.#note((await query<CheckpointRow>(PASSIVE)).rows[0])
      if (this.#busyMs > 0) this.#costPerMs = (performance.now() - startMs) / this.#busyMs
      this.#busyMs = 0
    })
  }

  async #begin(query: Query): Promise<void> {
    this.#pageBytes = await numberOf(query, 'PRAGMA page_size', 'page_size')
    const pages = await numberOf(query, 'PRAGMA wal_autocheckpoint', 'wal_autocheckpoint')
    await query(`PRAGMA wal_autocheckpoint = ${Math.max(AUTO_CHECKPOINT_PAGES, pages)}`)
    this.#autoCheckpoint = pages
  }

  #note(row: CheckpointRow | undefined): void {
    // -1: the database isn't in WAL mode, or somebody else's checkpoint is under way.
    if (row === undefined || row.log < 0) return
    this.#state = {
      logBytes: row.log * this.#pageBytes,
      behindBytes: (row.log - row.checkpointed) * this.#pageBytes,
      atMs: this.#clock.nowMs(),
    }
  }

  // A checkpoint that fails costs nothing but disk space: the next one makes up for it.
  #run(work: (query: Query) => Promise<void>): Promise<void> {
    return this.#database.session(({ query }) => work(query)).catch(() => {})
  }
}

/** `busyMs` of batches since the last checkpoint; one of them takes about `costPerMs` for each. */
export function isCheckpointDue(busyMs: number, costPerMs: number, targetMs: number): boolean {
  // The cost is an estimate, and an update may change from cheap rows to dear ones: not too rarely in any case.
  return busyMs * costPerMs >= targetMs * 0.75 || busyMs >= 20 * targetMs
}

async function numberOf(query: Query, pragma: string, column: string): Promise<number> {
  const { rows } = await query<Record<string, number>>(pragma)
  return Number(rows[0]?.[column] ?? 0)
}
