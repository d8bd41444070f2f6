import type { BusyWaits, Query } from '../databases/database.js'
import type { WalState } from '../databases/wal-checkpoints.js'

/** What other processes of ours are at. */
export interface OtherRunners {
  /** How many hold a lease. */
  readonly runners: number
  /** Batches so far of the updates and lanes that they hold. */
  readonly batches: number
}

/** What this process does in the database itself, so that signals can tell it from the work of others. */
export interface OwnWork {
  /** Transactions that were committed so far, statements in autocommit too. */
  readonly commits: () => number
  /** Runners of ours in other processes, as the database knows them. */
  readonly otherRunners: (query: Query) => Promise<OtherRunners>
  /** PostgreSQL: process ids of the sessions that this process has used; null when they can't be told. */
  readonly backends: () => readonly number[] | null
  /** SQLite: waits for other writers so far; null when the driver doesn't count them. */
  readonly busyWaits: () => BusyWaits | null
  /** A batch of this process is under way. */
  readonly batchRunning: () => boolean
  /** SQLite's checkpoints between batches; null on PostgreSQL. */
  readonly checkpoints: { readonly state: WalState | null; look(): Promise<void> } | null
}
