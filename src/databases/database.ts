/** The two families of SQL that Evenkeel speaks. */
export type Dialect = 'postgres' | 'sqlite'

/** What a driver or its server can do; the engine asks these instead of the driver's name. */
export interface Capabilities {
  /** A running statement can be cancelled in the server (`AbortSignal`, `Session.cancel()`). */
  readonly cancel: boolean
  /** `session()` really pins one connection. False behind a transaction-mode pooler: one-shot updates are refused there. */
  readonly pinnedSession: boolean
  /** More than one transaction can be open at a time. False where one connection does everything (SQLite). */
  readonly concurrentTransactions: boolean
}

/** The rows of a statement and how many it returned or changed. */
export interface QueryResult<Row> {
  readonly rows: Row[]
  readonly rowCount: number
}

/** One statement with `$1` placeholders; values are always parameters. */
export type Query = <Row = Record<string, unknown>>(
  text: string,
  values?: readonly unknown[],
) => Promise<QueryResult<Row>>

/** An answer, and how long the server worked on it by its own clock, in ms; null where that can't be told. */
export interface TimedResult<Row> extends QueryResult<Row> {
  readonly serverMs: number | null
  /** WAL that the whole server wrote meanwhile, in bytes; left out where it wasn't asked for or can't be told. */
  readonly walBytes?: number
}

export interface TimedOptions {
  /** Measures the WAL as well, which takes the right to ask where it ends. Default false. */
  readonly wal?: boolean
}

/** A statement that the engine hands to the driver whole, to be sent together with others. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Makes the error for a statement that affects no row; then the transaction is rolled back, never committed. */
  readonly orElse?: () => Error
}

/** How a pipelined transaction ends: what it returns, and the statements that go out together with COMMIT. */
export interface Closing<T> {
  readonly result: T
  readonly closing: readonly Statement[]
  /** The commit waits for the disk although `asynchronousCommit` was asked for. Default false. */
  readonly durable?: boolean
}

/** What reads the catalogue: a query, and the dialect to write it in. */
export interface ReadContext {
  readonly query: Query
  readonly dialect: Dialect
}

/** One pinned connection in autocommit: what a session sets stays until the function ends. */
export interface Session<Tx = unknown> {
  /** The driver's own connection. */
  readonly connection: Tx
  readonly query: Query
  /** Cancels the statement that this session runs now, if the driver can. */
  cancel(): Promise<void>
  /** False when a pooler that nobody spoke of gives out another connection of the server for each transaction. */
  isPinned?(): Promise<boolean>
}

export interface TransactionOptions {
  /** When it aborts, the running statement is cancelled in the server and the transaction is rolled back. */
  readonly signal?: AbortSignal
}

/** What a driver may make use of, and needn't. */
export interface QueryOptions {
  /** The same text comes again and again, so it may be prepared. Default false. */
  readonly repeated?: boolean
}

export interface PipelineOptions extends TransactionOptions {
  /**
   * SQLite: COMMIT needn't wait for the disk. A driver may ignore it. On PostgreSQL it is a setting, which is among the
   * statements. Default false.
   */
  readonly asynchronousCommit?: boolean
  /** Called when the connection is there and BEGIN is about to be sent. */
  readonly onBegin?: () => void
  /** Called when the answer of an opening statement has come, with its index. */
  readonly onAnswer?: (index: number) => void
}

/** How often BEGIN IMMEDIATE found another writer in the database, since the adapter was made. */
export interface BusyWaits {
  /** Transactions that were begun, whether they had to wait or not. */
  readonly begins: number
  /** Those of them that had to wait. */
  readonly waits: number
  /** How long they waited, in ms. */
  readonly waitedMs: number
}

/**
 * The database as the engine sees it, for any driver: see `fromPg`, `fromBetterSqlite3`, or write one and hold it
 * against `databaseConformance` of `evenkeel/testing`.
 *
 * Rows come as the driver parses them, but an integer beyond 2^53 is never rounded: it is a string or a bigint.
 */
export interface Database<Tx = unknown> {
  readonly dialect: Dialect
  readonly capabilities: Capabilities
  /** Commits when `fn` resolves and rolls back when it rejects. SQLite: BEGIN IMMEDIATE. PostgreSQL: READ COMMITTED. */
  transaction<T>(fn: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /**
   * The same in fewer round trips, for drivers that can send several statements without waiting: `opening` goes out with
   * BEGIN, and the closing statements with COMMIT. The same few texts come again and again, so they may be prepared.
   * Without it `transaction` runs the statements one by one.
   */
  pipelinedTransaction?<T>(
    opening: readonly Statement[],
    fn: (tx: Tx, opened: readonly QueryResult<never>[]) => Promise<Closing<T>>,
    options?: PipelineOptions,
  ): Promise<T>
  /**
   * Runs what isn't the engine's own inside of `pipelinedTransaction`: handlers. Where one connection does everything, a
   * transaction that they ask for would wait for the end of theirs; what comes from in here the driver refuses instead.
   */
  runHandler?<T>(handler: () => Promise<T>): Promise<T>
  /** PostgreSQL: process ids of the server for the connections used so far; left out where they can't be told. */
  backends?(): readonly number[] | null
  session<T>(fn: (session: Session<Tx>) => Promise<T>, options?: TransactionOptions): Promise<T>
  query<Row = Record<string, unknown>>(
    tx: Tx,
    text: string,
    values?: readonly unknown[],
    options?: QueryOptions,
  ): Promise<QueryResult<Row>>
  /**
   * `query` that also measures how long the server works on the statement. Without it small statements are timed from
   * here, where a busy machine or network makes them seem dear.
   */
  timedQuery?<Row = Record<string, unknown>>(
    tx: Tx,
    text: string,
    values?: readonly unknown[],
    options?: TimedOptions,
  ): Promise<TimedResult<Row>>
  /** SQLite: what the signal `busy writers` is made of. Without it that signal is unknown. */
  busyWaits?(): BusyWaits
  /** Closes what this adapter opened; a pool or handle that was passed in stays the caller's. */
  close(): Promise<void>
}
