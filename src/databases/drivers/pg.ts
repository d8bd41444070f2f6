import { ConfigurationError, TransactionRolledBackError } from '../../errors.js'
import { methodProblems, refuseProblems, requireReadable } from '../../options.js'
import { withinTime } from '../time-limit.js'
import { StatementCancel } from './statement-cancel.js'
import type {
  Closing,
  Database,
  PipelineOptions,
  QueryOptions,
  QueryResult,
  Session,
  Statement,
  TimedOptions,
  TimedResult,
  TransactionOptions,
} from '../database.js'
import { OUR_COMMENT } from '../statement-comment.js'
import { databaseErrorCode, isReadTimeout } from '../error-class.js'
import { backendsOf, noteBackend } from './pg-backends.js'
import type { PgAnswer, PgClient } from './pg-client.js'
import { fromPgProblems, POOL_METHODS, type FromPgOptions, type PgPool } from './pg-options.js'
import {
  BACKEND_AT_WORK,
  connectUnlessAborted,
  giveUpWhenSilent,
  hearErrorsOf,
  SILENCE_MS,
  watchForHalfOpen,
} from './pg-connection.js'
import { canSendTogether, guarded, preparedName, sendTimed, sendTogether, toResult, unguarded } from './pg-pipeline.js'
import { PgTransactions } from './pg-transactions.js'
import { messageOf } from '../../thrown.js'

export type { PgClient } from './pg-client.js'
export type { FromPgOptions, PgPool } from './pg-options.js'

/** The client type of a pool, read from the two overloads of `connect`. */
type ClientOf<Pool> = Pool extends { connect: { (): Promise<infer Client>; (callback: never): void } }
  ? Client
  : Pool extends { connect(): Promise<infer Client> }
    ? Client
    : PgClient

/**
 * A PostgreSQL database behind a `pg.Pool`. The pool stays yours: `close()` doesn't end it. Give it at least four
 * connections: a batch, the heartbeat of its lease, the signals of the pace, and your questions; one more for each lane.
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
  requireReadable('fromPg', options)
  const problems = [...methodProblems('the pool', pool ?? null, POOL_METHODS), ...fromPgProblems(options)]
  refuseProblems('fromPg', problems)
  return new PgDatabase(pool, options) as unknown as Database<ClientOf<Pool> & PgClient>
}

const REPEAT_CANCEL_MS = 100
const COMMIT = `COMMIT ${OUR_COMMENT}`
const ROLLBACK = `ROLLBACK ${OUR_COMMENT}`

class PgDatabase implements Database<PgClient> {
  readonly dialect = 'postgres' as const
  readonly capabilities
  readonly #pool: PgPool
  // For sessions; the same one unless a pooler stands between.
  readonly #sessionPool: PgPool
  readonly #isDirect = new WeakMap<PgClient, boolean>()
  readonly #pooled: boolean
  readonly #begin: string
  readonly #transactions = new PgTransactions()
  // Their transaction may still be open.
  readonly #notRolledBack = new WeakSet<PgClient>()
  readonly #mayPrepare = new WeakMap<PgClient, boolean>()

  constructor(pool: PgPool, options: FromPgOptions) {
    this.#pool = pool
    this.#sessionPool = options.direct ?? pool
    this.#begin = `BEGIN ISOLATION LEVEL ${(options.isolationLevel ?? 'read committed').toUpperCase()}`
    const direct = options.transactionPooler !== true
    this.#pooled = !direct
    this.capabilities = {
      cancel: direct,
      pinnedSession: direct || options.direct !== undefined,
      concurrentTransactions: true,
    }
    try {
      for (const each of [pool, this.#sessionPool]) hearErrorsOf(each)
    } catch (error) {
      const reason = messageOf(error)
      throw new ConfigurationError('fromPg', [`the pool refuses a listener for its errors: ${reason}`], error)
    }
  }

  transaction<T>(fn: (tx: PgClient) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withClient(
      this.#pool,
      async (client) => {
        await client.query(this.#begin)
        try {
          const result = await this.#transactions.run(client, () => fn(client))
          const { command } = await client.query(COMMIT)
          // COMMIT of a transaction that has failed is answered by a ROLLBACK, without an error.
          if (command !== 'COMMIT') throw new TransactionRolledBackError()
          return result
        } catch (error) {
          await this.#rollBack(client)
          throw error
        }
      },
      options.signal,
      { repeatMs: REPEAT_CANCEL_MS },
    )
  }

  pipelinedTransaction<T>(
    opening: readonly Statement[],
    fn: (tx: PgClient, opened: readonly QueryResult<never>[]) => Promise<Closing<T>>,
    options: PipelineOptions = {},
  ): Promise<T> {
    return this.#withClient(
      this.#pool,
      async (client) => {
        const prepare = await this.#canPrepare(client)
        const toQuery = (statement: Statement) => {
          const text = guarded(statement)
          return { text, values: [...(statement.values ?? [])], name: prepare ? preparedName(text) : undefined }
        }
        options.onBegin?.()
        try {
          const answers = await sendTogether(client, [this.#begin, ...opening.map(toQuery)], (index) => {
            if (index > 0) options.onAnswer?.(index - 1)
          })
          const opened = answers.slice(1).map(toResult<never>)
          const { result, closing } = await this.#transactions.run(client, () => fn(client, opened))
          options.signal?.throwIfAborted()
          const ended = await sendTogether(client, [...closing.map(toQuery), COMMIT]).catch((error: unknown) => {
            throw unguarded(error, closing)
          })
          if (ended.at(-1)?.command !== 'COMMIT') throw new TransactionRolledBackError()
          return result
        } catch (error) {
          // Somebody has run DEALLOCATE or DISCARD: what `pg` takes for prepared isn't, and never will be on this one. With
          // 0A000 it is, but a column has another type or collation now, and the server keeps to the old one.
          const code = databaseErrorCode(error)
          if (code === '26000' || code === '0A000') this.#mayPrepare.set(client, false)
          await this.#rollBack(client)
          throw error
        }
      },
      options.signal,
      { repeatMs: REPEAT_CANCEL_MS },
    )
  }

  // Cancelled once: what a session does after that, to clean up, may run.
  session<T>(fn: (session: Session<PgClient>) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#withClient(this.#sessionPool, (client) => fn(this.#session(client)), options.signal, {
      repeatMs: null,
    })
  }

  async query<Row>(
    tx: PgClient,
    text: string,
    values: readonly unknown[] = [],
    { repeated = false }: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    this.#transactions.requireOpen(tx)
    const name = repeated && this.#mayPrepare.get(tx) === true ? preparedName(text) : undefined
    const answer = await tx.query({ text, values: [...values], name })
    this.#transactions.requireOpen(tx, text)
    // Several statements in one text, which only a text without values can hold: the last one answers.
    return toResult(Array.isArray(answer) ? (answer.at(-1) as PgAnswer) : answer)
  }

  async timedQuery<Row>(
    tx: PgClient,
    text: string,
    values: readonly unknown[] = [],
    { wal = false }: TimedOptions = {},
  ): Promise<TimedResult<Row>> {
    if (!canSendTogether(tx)) return { ...(await this.query<Row>(tx, text, values)), serverMs: null }
    this.#transactions.requireOpen(tx)
    const prepare = this.#mayPrepare.get(tx) === true
    const { answer, ...measured } = await sendTimed(tx, { text, values: [...values] }, { prepare, wal })
    this.#transactions.requireOpen(tx, text)
    return { ...toResult<Row>(answer), ...measured }
  }

  backends(): readonly number[] | null {
    return this.#pooled ? null : [...new Set([...backendsOf(this.#pool), ...backendsOf(this.#sessionPool)])]
  }

  async close(): Promise<void> {}

  #session(client: PgClient): Session<PgClient> {
    return {
      connection: client,
      query: (text, values) => this.query(client, text, values),
      cancel: () => this.#cancel(client),
      isPinned: () => this.#isOwn(client),
    }
  }

  async #withClient<T>(
    pool: PgPool,
    fn: (client: PgClient) => Promise<T>,
    signal: AbortSignal | undefined,
    onAbort: { readonly repeatMs: number | null } | 'give up',
  ): Promise<T> {
    signal?.throwIfAborted()
    const client = await connectUnlessAborted(pool, signal)
    noteBackend(pool, client)
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    // A connection that breaks between two queries has nobody else to tell.
    client.on('error', onError)
    const cancel = onAbort === 'give up' ? null : new StatementCancel(() => this.#cancel(client), onAbort.repeatMs)
    let stopWatching = () => {}
    const abort = () => {
      cancel?.start()
      stopWatching = giveUpWhenSilent(client, cancel ? SILENCE_MS : 0)
    }
    signal?.addEventListener('abort', abort, { once: true })
    const stopWatch = onAbort === 'give up' ? () => {} : watchForHalfOpen(client, () => this.#isIdle(client))
    try {
      return await fn(client)
    } catch (error) {
      // The pool's `query_timeout`: the client has given up, and the statement goes on.
      if (isReadTimeout(error)) broken = error as Error
      throw broken !== undefined && !isDatabaseError(error) ? broken : error
    } finally {
      signal?.removeEventListener('abort', abort)
      stopWatch()
      stopWatching()
      const underWay = cancel?.stop() ?? null
      // A cancel that is still under way could hit the next user of this connection: give it up instead.
      const givenUp = broken ?? (underWay !== null || this.#notRolledBack.has(client))
      // One that is given up keeps the listener: its server may still say goodbye, and an error that nobody hears ends the
      // process.
      if (givenUp === false) client.removeListener('error', onError)
      client.release(givenUp)
      await underWay
    }
  }

  /** A connection whose transaction can't be ended isn't for anybody else: a pool would hand it on as it is. */
  async #rollBack(client: PgClient): Promise<void> {
    await client.query(ROLLBACK).catch(() => this.#notRolledBack.add(client))
  }

  /**
   * Whether statements may be prepared on this connection: not behind a pooler, where the next transaction may be on
   * another connection of the server. Asked once a connection: a pooler gives out process ids of its own.
   */
  async #canPrepare(client: PgClient): Promise<boolean> {
    if (this.#pooled) return false
    const known = this.#mayPrepare.get(client)
    if (known !== undefined) return known
    const own = await this.#isOwn(client)
    this.#mayPrepare.set(client, own)
    return own
  }

  /** Whether this connection is one connection of the server, also when nobody said that there is a pooler. */
  async #isOwn(client: PgClient): Promise<boolean> {
    const known = this.#isDirect.get(client)
    if (known !== undefined) return known
    const answered = giveUpWhenSilent(client, SILENCE_MS)
    const { rows } = await client.query(`SELECT pg_backend_pid() AS pid ${OUR_COMMENT}`).finally(answered)
    const own = (rows[0] as { pid?: unknown } | undefined)?.pid === (client as { processID?: unknown }).processID
    this.#isDirect.set(client, own)
    return own
  }

  /** Whether the backend of a connection waits for us, or is gone. False where that can't be told. */
  async #isIdle(client: PgClient): Promise<boolean> {
    if (this.#isDirect.get(client) !== true) return false
    const values = [(client as { processID?: unknown }).processID, SILENCE_MS]
    const { rows } = await this.#askOther(BACKEND_AT_WORK, values)
    return rows.length === 0
  }

  /** A short question about one connection, on another. */
  #askOther(text: string, values: unknown[]): Promise<PgAnswer> {
    return withinTime(SILENCE_MS, (signal) =>
      this.#withClient(this.#sessionPool, (other) => other.query(text, values), signal, 'give up'),
    )
  }

  async #cancel(client: PgClient): Promise<void> {
    const { processID } = client as { processID?: number | null }
    // A pooler hands out process ids of its own: a cancel would hit nobody, or a stranger.
    const own = this.#isDirect.get(client) ?? !this.#pooled
    if (!own || typeof processID !== 'number') return
    // By its schema and type: nobody who may create functions in the search_path has his own called by us.
    await this.#askOther('SELECT pg_catalog.pg_cancel_backend($1::int4)', [processID])
  }
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string'
}
