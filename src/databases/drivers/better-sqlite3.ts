import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { ConfigurationError } from '../../errors.js'
import { describe, methodProblems, refuseProblems, requireReadable, unknownOptionProblems } from '../../options.js'
import type {
  BusyWaits,
  Closing,
  Database,
  PipelineOptions,
  QueryResult,
  Session,
  Statement,
  TransactionOptions,
} from '../database.js'
import { SerialConnection } from './serial-connection.js'
import { DatabaseBusyError, explainFileError, isBusy } from './sqlite-errors.js'
import { SqliteDurability } from './sqlite-durability.js'
import { SqliteTransaction } from './sqlite-transaction.js'
import { messageOf } from '../../thrown.js'

/** The part of a better-sqlite3 `Statement` that Evenkeel uses. */
export interface BetterSqlite3Statement {
  readonly reader: boolean
  all(...values: unknown[]): unknown[]
  run(...values: unknown[]): { changes: number }
  safeIntegers(on?: boolean): unknown
}

/** The part of a better-sqlite3 `Database` that Evenkeel uses; structural, so that none of its types is needed. */
export interface BetterSqlite3Database {
  readonly inTransaction: boolean
  readonly open?: boolean
  readonly name?: string
  prepare(sql: string): BetterSqlite3Statement
  exec(sql: string): unknown
  pragma(source: string, options?: { simple?: boolean }): unknown
  close(): unknown
}

export interface FromBetterSqlite3Options {
  /**
   * How long a batch, or any other statement, waits for another writer, in ms. Default 5 000. The wait never blocks the
   * event loop. Behind it the statement fails with DatabaseBusyError.
   */
  readonly busyTimeoutMs?: number
}

/**
 * A SQLite database through better-sqlite3: a file name, for which a connection of our own is opened; or a `Database`
 * that is ours alone (for `:memory:`), because statements of others would slip into our open transaction.
 *
 * @example
 * import { fromBetterSqlite3 } from 'evenkeel/better-sqlite3'
 *
 * const database = fromBetterSqlite3('app.db')
 */
export function fromBetterSqlite3<Handle extends BetterSqlite3Database = BetterSqlite3Database>(
  source: string | Handle,
  options: FromBetterSqlite3Options = {},
): Database<Handle> {
  requireReadable('fromBetterSqlite3', options)
  const own = typeof source === 'string'
  const problems = optionProblems(options)
  if (!own) problems.push(...methodProblems('the database', source ?? null, ['prepare', 'exec', 'pragma', 'close']))
  refuseProblems('fromBetterSqlite3', problems)
  const busyTimeoutMs = options.busyTimeoutMs ?? 5_000
  const handle = own ? open<Handle>(source) : source
  return new BetterSqlite3Adapter(handle, own, busyTimeoutMs)
}

function open<Handle>(file: string): Handle {
  const require = createRequire(import.meta.url)
  const Constructor = require('better-sqlite3') as new (file: string) => Handle
  try {
    return new Constructor(file)
  } catch (error) {
    const reason = messageOf(error)
    throw new ConfigurationError('fromBetterSqlite3', [`can't open ${describe(file)}: ${reason}`], error)
  }
}

function optionProblems(options: FromBetterSqlite3Options): string[] {
  if (typeof options !== 'object' || options === null) return [`options must be an object, not ${describe(options)}`]
  const { busyTimeoutMs } = options
  const problems = unknownOptionProblems(options, ['busyTimeoutMs'])
  if (busyTimeoutMs !== undefined && !(Number.isFinite(busyTimeoutMs) && busyTimeoutMs >= 0)) {
    problems.push(`busyTimeoutMs must be a number of at least 0, not ${describe(busyTimeoutMs)}`)
  }
  return problems
}

// Statements are prepared once; the bound keeps a program that builds SQL by itself from filling the memory.
const MAX_PREPARED = 200

class BetterSqlite3Adapter<Handle extends BetterSqlite3Database> implements Database<Handle> {
  readonly dialect = 'sqlite' as const
  readonly capabilities = { cancel: false, pinnedSession: true, concurrentTransactions: false }
  readonly #handle: Handle
  readonly #own: boolean
  readonly #busyTimeoutMs: number
  readonly #connection = new SerialConnection()
  readonly #durability = new SqliteDurability((text) => this.#run<Record<string, unknown>>(text).rows)
  readonly #prepared = new Map<string, BetterSqlite3Statement>()
  // Invariant: the transaction that has the turn, from its BEGIN to its end; null between transactions.
  #open: SqliteTransaction | null = null
  #busyWaits: BusyWaits = { begins: 0, waits: 0, waitedMs: 0 }

  constructor(handle: Handle, own: boolean, busyTimeoutMs: number) {
    this.#handle = handle
    this.#own = own
    this.#busyTimeoutMs = busyTimeoutMs
    try {
      // Zero: SQLite's own wait would block the event loop, and with it a writer of this very process who is to be waited for.
      handle.pragma('busy_timeout = 0')
    } catch (error) {
      const reason = messageOf(error)
      throw new ConfigurationError('fromBetterSqlite3', [`the database refuses busy_timeout: ${reason}`], error)
    }
  }

  transaction<T>(fn: (tx: Handle) => Promise<T>, { signal }: TransactionOptions = {}): Promise<T> {
    return this.#connection.run(
      () => this.#transaction(() => this.runHandler(() => fn(this.#handle)), signal),
      'refuse',
    )
  }

  pipelinedTransaction<T>(
    opening: readonly Statement[],
    fn: (tx: Handle, opened: readonly QueryResult<never>[]) => Promise<Closing<T>>,
    { signal, onBegin, onAnswer, asynchronousCommit = false }: PipelineOptions = {},
  ): Promise<T> {
    const run = ({ text, values, orElse }: Statement) => {
      signal?.throwIfAborted()
      const answer = this.#runWatched<never>(text, values)
      if (answer.rowCount === 0 && orElse) throw orElse()
      return answer
    }
    const framed = async () => {
      onBegin?.()
      const opened = opening.map((statement, index) => {
        const answer = run(statement)
        onAnswer?.(index)
        return answer
      })
      const ended = await fn(this.#handle, opened)
      for (const statement of ended.closing) run(statement)
      return ended
    }
    return this.#connection.run(async () => {
      const restore = asynchronousCommit ? this.#durability.relax() : null
      const { result, durable } = await this.#transaction(framed, signal).finally(restore)
      // It is committed: whoever comes next is told of a disk that can't be written to.
      if (restore !== null && durable) await this.#transaction(async () => this.#durability.touch()).catch(() => {})
      return result
    }, 'refuse')
  }

  runHandler<T>(handler: () => Promise<T>): Promise<T> {
    return this.#connection.foreign(handler)
  }

  /** In our turn. */
  async #transaction<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    await this.#beginImmediate(signal)
    // A handle that somebody closed says so by itself.
    const open = new SqliteTransaction(() => this.#handle.inTransaction || this.#handle.open === false)
    this.#open = open
    try {
      const result = await work()
      // In rollback-journal mode COMMIT waits for readers.
      await this.#whenNotBusy(() => open.commit(() => void this.#run('COMMIT')), undefined)
      return result
    } catch (error) {
      const reason = open.explain(error)
      if (this.#handle.inTransaction) this.#handle.exec('ROLLBACK')
      throw reason
    } finally {
      this.#open = null
    }
  }

  session<T>(fn: (session: Session<Handle>) => Promise<T>, { signal }: TransactionOptions = {}): Promise<T> {
    return this.#connection.run(async () => {
      signal?.throwIfAborted()
      return this.runHandler(() =>
        fn({
          connection: this.#handle,
          query: (text, values) => this.#whenNotBusy(() => this.#runWatched(text, values), signal),
          cancel: async () => {},
        }),
      )
    }, 'join')
  }

  async query<Row>(_tx: Handle, text: string, values: readonly unknown[] = []): Promise<QueryResult<Row>> {
    return this.#runWatched<Row>(text, values)
  }

  busyWaits(): BusyWaits {
    return this.#busyWaits
  }

  async close(): Promise<void> {
    this.#prepared.clear()
    if (this.#own) this.#handle.close()
  }

  #runWatched<Row>(text: string, values: readonly unknown[] | undefined): QueryResult<Row> {
    if (this.#open === null) return this.#run(text, values)
    return this.#open.run(text, () => this.#run<Row>(text, values))
  }

  #run<Row>(text: string, values?: readonly unknown[]): QueryResult<Row> {
    try {
      return this.#runRaw(text, values)
    } catch (error) {
      throw explainFileError(error, this.#file)
    }
  }

  #runRaw<Row>(text: string, values: readonly unknown[] = []): QueryResult<Row> {
    const statement = this.#prepare(text)
    // `$1` is a named parameter to SQLite; its name is "1".
    const bound = values.length === 0 ? [] : [toBindings(values)]
    if (!statement.reader) return { rows: [], rowCount: statement.run(...bound).changes }
    const rows = statement.all(...bound) as Record<string, unknown>[]
    for (const row of rows) narrowIntegers(row)
    return { rows: rows as Row[], rowCount: rows.length }
  }

  #prepare(text: string): BetterSqlite3Statement {
    const known = this.#prepared.get(text)
    if (known) return known
    const statement = this.#handle.prepare(text)
    // Without this, integers beyond 2^53 would come rounded.
    if (statement.reader) statement.safeIntegers(true)
    if (this.#prepared.size >= MAX_PREPARED) this.#prepared.clear()
    this.#prepared.set(text, statement)
    return statement
  }

  get #file(): string {
    const { name } = this.#handle
    return name === undefined ? 'the database' : `the database file ${describe(name)}`
  }

  async #beginImmediate(signal: AbortSignal | undefined): Promise<void> {
    const startMs = performance.now()
    let waited = false
    try {
      await this.#whenNotBusy(() => {
        try {
          this.#run('BEGIN IMMEDIATE')
        } catch (error) {
          waited ||= isBusy(error)
          throw error
        }
      }, signal)
    } finally {
      const { begins, waits, waitedMs } = this.#busyWaits
      this.#busyWaits = {
        begins: begins + 1,
        waits: waits + (waited ? 1 : 0),
        waitedMs: waitedMs + (waited ? performance.now() - startMs : 0),
      }
    }
  }

  async #whenNotBusy<T>(attempt: () => T, signal: AbortSignal | undefined): Promise<T> {
    const deadline = performance.now() + this.#busyTimeoutMs
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 25)) {
      try {
        return attempt()
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() >= deadline) throw new DatabaseBusyError(this.#file, this.#busyTimeoutMs, error)
      }
      await delay(waitMs, undefined, { signal })
    }
  }
}

function toBindings(values: readonly unknown[]): Record<number, unknown> {
  const named: Record<number, unknown> = {}
  for (const [index, value] of values.entries()) named[index + 1] = toBinding(value)
  return named
}

function toBinding(value: unknown): unknown {
  if (typeof value === 'boolean') return value ? 1 : 0
  // better-sqlite3 binds every number as a float: as a key of a column without affinity, 5.0 would be stored.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  return value ?? null
}

function narrowIntegers(row: Record<string, unknown>): void {
  for (const column in row) {
    const value = row[column]
    if (typeof value === 'bigint' && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER)
      row[column] = Number(value)
  }
}
