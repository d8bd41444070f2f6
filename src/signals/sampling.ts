import { sleepUnlessAborted, systemClock, type Clock } from '../clock.js'
import type { Database, Query } from '../databases/database.js'
import type { TableName } from '../databases/identifier.js'
import type { Logger } from '../observe/logger.js'
import type { Reading } from '../pacing/reading.js'
import { underAny } from '../under-any.js'
import type { OwnWork } from './own-work.js'
import { readOnlyTransaction } from './read-only.js'
import type { Signal, SignalContext } from './signal.js'
import { withinTime } from './time-limit.js'
import { TrackedSignal } from './tracked-signal.js'

export interface SamplerParts<Tx> {
  readonly database: Database<Tx>
  readonly databaseName: string
  readonly signals: readonly Signal[]
  readonly own: OwnWork
  /** What the times of readings are told by. */
  readonly clock: Clock
  readonly log: Logger
}

// Whoever is due so soon, in ms, is asked together with those that are due: in one transaction, and with one look.
const SOON_MS = 100

/** One stretch of time in which the signals are asked. What they remember between samples begins and ends with it. */
export class Sampling<Tx> {
  /** Resolves when every signal was asked once, or when it ends before. */
  readonly firstLook: Promise<void>
  #hasLooked = false
  readonly #parts: SamplerParts<Tx>
  readonly #tracked: readonly TrackedSignal[]
  readonly #stop = new AbortController()
  // Invariant: the loops that haven't been through all their signals yet.
  readonly #looking = new Set<object>()
  #endFirstLook = () => {}
  #table: TableName | null = null
  // On the monotonic system clock.
  #wantedUntilMs = 0

  constructor(parts: SamplerParts<Tx>) {
    this.#parts = parts
    this.#tracked = parts.signals.map((signal) => new TrackedSignal(signal, parts.own, parts.log, parts.databaseName))
    this.firstLook = new Promise((resolve) => {
      this.#endFirstLook = resolve
    })
  }

  /** Whether the first look is over. */
  get hasLooked(): boolean {
    return this.#hasLooked
  }

  readings(): readonly Reading[] {
    return this.#tracked.flatMap(({ reading }) => reading ?? [])
  }

  /** Somebody wants to know, at least for `lingerMs`, of this table among others. */
  wanted(table: TableName | null, lingerMs: number): void {
    this.#table = table
    this.#wantedUntilMs = performance.now() + lingerMs
  }

  end(): void {
    this.#stop.abort(new Error('the updater is stopping'))
  }

  /** Resolves when it has ended: because of `end`, or because nobody wants to know any more. */
  async run(): Promise<void> {
    const postgres = this.#parts.database.dialect === 'postgres'
    const together = this.#tracked.filter(({ signal }) => postgres && signal.shared)
    const groups = this.#tracked.filter((each) => !together.includes(each)).map((each) => [each])
    if (together.length > 0) groups.push(together)
    for (const group of groups) this.#looking.add(group)
    await Promise.all(
      groups.map((group) =>
        this.#loop(group, group === together ? (due) => this.#sampleTogether(due) : (due) => this.#sampleAlone(due)),
      ),
    )
    this.#looked()
  }

  #looked(): void {
    this.#hasLooked = true
    this.#endFirstLook()
  }

  async #loop(group: TrackedSignal[], sample: (due: TrackedSignal[]) => Promise<void>): Promise<void> {
    const stop = this.#stop.signal
    while (!stop.aborted && performance.now() <= this.#wantedUntilMs) {
      const startMs = performance.now()
      const due = group.filter(({ dueMs }) => dueMs <= startMs + SOON_MS)
      for (const each of due) each.begins(startMs)
      await sample(due)
      this.#looking.delete(group)
      if (this.#looking.size === 0) this.#looked()
      const waitMs = Math.min(...group.map(({ dueMs }) => dueMs)) - performance.now()
      await sleepUnlessAborted(systemClock, Math.max(waitMs, 1), stop)
    }
  }

  /** A signal that may do anything: a connection is taken for each of its statements, if it has any. */
  async #sampleAlone(due: TrackedSignal[]): Promise<void> {
    const { database } = this.#parts
    for (const each of due) {
      // Beyond its time, and told to be so: there are never two samples of one signal.
      if (each.underWay) continue
      const { timeoutMs } = each.signal
      await this.#ask(each, timeoutMs, this.#stop.signal, (signal) =>
        database.dialect === 'postgres'
          ? (text, values) => readOnlyTransaction(database, { timeoutMs, signal }, (query) => query(text, values))
          : (text, values) => database.session((session) => session.query(text, values), { signal }),
      ).catch(() => {})
    }
  }

  /**
   * Signals that are nothing but short SQL, in one transaction after the other: one that fails takes the transaction
   * with it, and the rest go on in another.
   */
  async #sampleTogether(due: TrackedSignal[]): Promise<void> {
    let left = due
    while (left.length > 0 && !this.#stop.signal.aborted) {
      const before = left.length
      // One of them that takes too long cancels the statement that it waits for.
      const cancel = new AbortController()
      const timeoutMs = Math.max(...left.map(({ signal }) => signal.timeoutMs))
      try {
        await underAny([cancel.signal, this.#stop.signal], (signal) =>
          readOnlyTransaction(this.#parts.database, { timeoutMs, signal, repeated: true }, async (query) => {
            while (left.length > 0) {
              const [each, ...rest] = left as [TrackedSignal, ...TrackedSignal[]]
              left = rest
              await this.#ask(each, each.signal.timeoutMs, this.#stop.signal, () => query).catch((error: unknown) => {
                cancel.abort(error)
                throw error
              })
            }
          }),
        )
      } catch (error) {
        // It didn't come to a single one: the database is away, or no connection is to be had.
        if (left.length < before) continue
        for (const each of left) each.failed(error, this.#nowMs())
        return
      }
    }
  }

  // Asks one signal and notes what came of it; rejects when that was an error.
  async #ask(
    each: TrackedSignal,
    timeoutMs: number,
    stop: AbortSignal,
    queryFor: (signal: AbortSignal) => Query,
  ): Promise<void> {
    try {
      const sample = await withinTime(timeoutMs, stop, (signal) => {
        const context: SignalContext = {
          query: queryFor(signal),
          dialect: this.#parts.database.dialect,
          table: this.#table,
          nowMs: this.#nowMs(),
          signal,
        }
        return each.ask(context)
      })
      each.found(sample, this.#nowMs())
    } catch (error) {
      if (!stop.aborted) each.failed(error, this.#nowMs())
      throw error
    }
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }
}
