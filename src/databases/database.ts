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
}

export interface TransactionOptions {
  /** When it aborts, the running statement is cancelled in the server and the transaction is rolled back. */
  readonly signal?: AbortSignal
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
  session<T>(fn: (session: Session<Tx>) => Promise<T>, options?: TransactionOptions): Promise<T>
  query<Row = Record<string, unknown>>(tx: Tx, text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>
  /** Closes what this adapter opened; a pool or handle that was passed in stays the caller's. */
  close(): Promise<void>
}
