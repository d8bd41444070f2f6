import type { Clock } from '../clock.js'
import type { Database, Query, TimedResult } from '../databases/database.js'
import type { StatementSize } from '../pacing/statement-size.js'
import type { Measured } from '../updates/definition.js'

/**
 * Tells what the server works on the statements of a batch from their way to it and back. On a slow network or a busy
 * machine that way is longer than the rows of a small batch take, and counted as theirs it would make the next batch
 * smaller and smaller.
 */
export class TimedStatements<Tx> {
  readonly #database: Database<Tx>
  readonly #tx: Tx
  readonly #clock: Clock
  readonly #wal: boolean
  #overheadMs = 0
  #wayMs = 0
  #measured = { ms: 0, bytes: 0 }

  /** `wal` measures the WAL as well. */
  constructor(database: Database<Tx>, tx: Tx, clock: Clock, wal: boolean) {
    this.#database = database
    this.#tx = tx
    this.#clock = clock
    this.#wal = wal
  }

  /** What was no work of the server's on rows, as far as it was measured, in ms. */
  get overheadMs(): number {
    return this.#overheadMs
  }

  /** The way to the server and back of the last statement that was timed, in ms; 0 where it isn't known. */
  get wayMs(): number {
    return this.#wayMs
  }

  /** The WAL of all that was timed, by whomever it was written, and how long the server worked; null if not measured. */
  get wal(): { readonly ms: number; readonly bytes: number } | null {
    return this.#wal && this.#measured.ms > 0 ? this.#measured : null
  }

  /** `wrap` makes of a query of the transaction what a handler gets. */
  measured(sizes: StatementSize, wrap: (query: Query) => Query): Measured {
    return async (work, empty) => {
      if (empty !== undefined && sizes.needsEmpty) {
        const fromMs = this.#clock.nowMs()
        const { serverMs } = await this.#run(empty, wrap)
        // The way of one that was timed is counted already.
        const ms = serverMs ?? this.#clock.nowMs() - fromMs
        sizes.empty(ms)
        this.#overheadMs += ms
      }
      const fromMs = this.#clock.nowMs()
      const done = await this.#run(work, wrap)
      // Every statement has that part, and it doesn't grow with the batch.
      if (empty !== undefined) {
        this.#overheadMs += Math.min(done.serverMs ?? this.#clock.nowMs() - fromMs, sizes.emptyMs)
      }
      return done
    }
  }

  async #run<T>(
    work: (query: Query) => Promise<T>,
    wrap: (query: Query) => Query,
  ): Promise<{ readonly value: T; readonly serverMs: number | null }> {
    let serverMs: number | null = 0
    const value = await work(
      wrap(async <Row>(text: string, values?: readonly unknown[]) => {
        const answer = await this.#time<Row>(text, values)
        serverMs = serverMs === null || answer.serverMs === null ? null : serverMs + answer.serverMs
        return answer
      }),
    )
    return { value, serverMs }
  }

  async #time<Row>(text: string, values?: readonly unknown[]): Promise<TimedResult<Row>> {
    const database = this.#database
    if (database.timedQuery === undefined) {
      return { ...(await database.query<Row>(this.#tx, text, values)), serverMs: null }
    }
    const fromMs = this.#clock.nowMs()
    const answer = await database.timedQuery<Row>(this.#tx, text, values, { wal: this.#wal })
    if (answer.serverMs === null) return answer
    if (answer.walBytes !== undefined) {
      this.#measured = { ms: this.#measured.ms + answer.serverMs, bytes: this.#measured.bytes + answer.walBytes }
    }
    this.#wayMs = Math.max(0, this.#clock.nowMs() - fromMs - answer.serverMs)
    this.#overheadMs += this.#wayMs
    return answer
  }
}
