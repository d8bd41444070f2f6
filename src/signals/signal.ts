import type { Dialect, Query } from '../databases/database.js'
import type { TableName } from '../databases/identifier.js'
import type { SignalKind, SignalSample } from '../pacing/reading.js'
import type { OwnWork } from './own-work.js'

/** What a signal is given when it is asked. */
export interface SignalContext {
  /** SQL on a connection of the signals' own, in a read-only transaction with short time-outs. */
  readonly query: Query
  readonly dialect: Dialect
  /** The table of the update being run; null when it isn't known. */
  readonly table: TableName | null
  /** Monotonic time in ms. */
  readonly nowMs: number
  /** Aborts when the sample has taken longer than its time-out, or the updater stops. */
  readonly signal: AbortSignal
}

/** Asks once; null when it can't tell yet, as a rate that needs two looks. */
export type Sample = (context: SignalContext) => Promise<SignalSample | null>

/** Something that is measured for the pace: see `signal`, `postgresSignals`, `sqliteSignals`. */
export interface Signal {
  readonly name: string
  readonly kind: SignalKind
  /** In ms, from the beginning of a sample to the beginning of the next. */
  readonly intervalMs: number
  /** In ms. */
  readonly timeoutMs: number
  /** From a first look that can't tell anything yet to the second, in ms. Default 100. */
  readonly secondLookMs?: number
  /** Does nothing but SQL that returns at once: it shares a transaction with others of its kind. */
  readonly shared: boolean
  /** Begins to measure one database: what a signal remembers from sample to sample is made here. */
  open(own: OwnWork): Sample
}
