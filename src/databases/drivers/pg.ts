import { TransactionRolledBackError } from '../../errors.js'
import { StatementCancel } from './statement-cancel.js'
import type { Database, QueryResult, Session, TransactionOptions } from '../database.js'

/** The part of `pg.PoolClient` that Evenkeel uses; structural, so that no type of `pg` is needed to compile. */
export interface PgClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[]; rowCount: number | null; command: string }>
  release(error?: Error | boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** The part of `pg.Pool` that Evenkeel uses. */
export interface PgPool {
  connect(): Promise<PgClient>
  query(text: string, values?: unknown[]): Promise<unknown>
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

/** The client type of a pool, read from the two overloads of `connect`. */
type ClientOf<Pool> = Pool extends { connect: { (): Promise<infer Client>; (callback: never): void } }
  ? Client
  : Pool extends { connect(): Promise<infer Client> }
    ? Client
    : PgClient

export interface FromPgOptions {
  /** Isolation of batches. Default `read committed`: under `repeatable read` a busy table makes batches fail and repeat. */
  readonly isolationLevel?: 'read committed' | 'repeatable read' | 'serializable'
  /** A pooler in transaction mode (PgBouncer) stands between: batches run, one-shot updates are refused. Default false. */
  readonly transactionPooler?: boolean
}

/**
 * A PostgreSQL database behind a `pg.Pool`. The pool stays yours: `close()` doesn't end it. Give it at least three
 * connections: a batch, the heartbeat of its lease, and your questions.
 *
 * @example
 * import pg from 'pg'
 * import { fromPg } from 'evenkeel/pg'
 *
 * const database = fromPg(new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 }))
 */
export function fromPg<Pool extends PgPool>(
  pool: Pool,
  options: FromPgOptions = {},
): Database<ClientOf<Pool> & PgClient> {
  return new PgDatabase(pool, options) as unknown as Database<ClientOf<Pool> & PgClient>
}

const REPEAT_CANCEL_MS = 100

class PgDatabase implements Database<PgClient> {
  readonly dialect = 'postgres' as const
  readonly capabilities
  readonly #pool: PgPool
  readonly #begin: string

  constructor(pool: PgPool, options: FromPgOptions) {
    this.#pool = pool
    this.#begin = `BEGIN ISOLATION LEVEL ${(options.isolationLevel ?? 'read committed').toUpperCase()}`
    const direct = options.transactionPooler !== true
    this.capabilities = {
      // A pooler hands out process ids of its own: a cancel would hit nobody, or a stranger.
      cancel: direct,
      pinnedSession: direct,
      concurrentTransactions: true,
    }
    // Without a listener, a server that closes an idle connection would end the process.
    if (pool.listenerCount('error') === 0) pool.on('error', () => {})
  }

  transaction<T>(fn: (tx: PgClient) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withClient(
      async (client) => {
        await client.query(this.#begin)
        try {
          const result = await fn(client)
          const { command } = await client.query('COMMIT')
          // COMMIT of a transaction that has failed is answered by a ROLLBACK, without an error.
          if (command !== 'COMMIT') throw new TransactionRolledBackError()
          return result
        } catch (error) {
          await client.query('ROLLBACK').catch(() => {})
          throw error
        }
      },
      options.signal,
      REPEAT_CANCEL_MS,
    )
  }

  // Cancelled once: what a session does after that, to clean up, may run.
  session<T>(fn: (session: Session<PgClient>) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withClient((client) => fn(this.#session(client)), options.signal, null)
  }

  async query<Row>(tx: PgClient, text: string, values: readonly unknown[] = []): Promise<QueryResult<Row>> {
    const answer = await tx.query(text, values as unknown[])
    // Several statements in one text, which only a text without values can hold: the last one answers.
    const { rows, rowCount } = Array.isArray(answer) ? (answer.at(-1) as typeof answer) : answer
    return { rows: rows as Row[], rowCount: rowCount ?? rows.length }
  }

  async close(): Promise<void> {}

  #session(client: PgClient): Session<PgClient> {
    return {
      connection: client,
      query: (text, values) => this.query(client, text, values),
      cancel: () => this.#cancel(client),
    }
  }

  async #withClient<T>(
    fn: (client: PgClient) => Promise<T>,
    signal: AbortSignal | undefined,
    repeatMs: number | null,
  ): Promise<T> {
    signal?.throwIfAborted()
    const client = await this.#pool.connect()
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    // A connection that breaks between two queries has nobody else to tell.
    client.on('error', onError)
    const cancel = new StatementCancel(() => this.#cancel(client), repeatMs)
    signal?.addEventListener('abort', cancel.start, { once: true })
    try {
      return await fn(client)
    } catch (error) {
      throw broken !== undefined && !isDatabaseError(error) ? broken : error
    } finally {
      signal?.removeEventListener('abort', cancel.start)
      client.removeListener('error', onError)
      const underWay = cancel.stop()
      // A cancel that is still under way could hit the next user of this connection: give it up instead.
      client.release(broken ?? underWay !== null)
      await underWay
    }
  }

  async #cancel(client: PgClient): Promise<void> {
    const { processID } = client as { processID?: number | null }
    if (!this.capabilities.cancel || typeof processID !== 'number') return
    await this.#pool.query('SELECT pg_cancel_backend($1)', [processID])
  }
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}
