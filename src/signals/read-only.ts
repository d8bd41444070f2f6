import type { Database, Query } from '../databases/database.js'
import { pipelinedTransaction } from '../databases/pipelined-transaction.js'

// Names us for whoever looks at pg_stat_activity, and for our own signals, which leave us out.
const APPLICATION_NAME = 'evenkeel:signals'
// The catalogue is locked for moments only; whoever holds it longer is not to be waited for.
const LOCK_TIMEOUT_MS = 100

const SETTINGS = `
  SELECT
    set_config('application_name', $1, true),
    set_config('statement_timeout', $2, true),
    set_config('lock_timeout', $3, true),
    set_config('transaction_read_only', 'on', true)`

export interface ReadOnlyOptions {
  /** How long one statement may take, in ms. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Its statements are the same ones again and again: where that can be done they are prepared. Default false. */
  readonly repeated?: boolean
}

/**
 * A transaction that reads and can't hurt: short time-outs, nothing written. All settings are the transaction's own, so
 * it works through a pooler in transaction mode.
 */
export function readOnlyTransaction<Tx, T>(
  database: Database<Tx>,
  { timeoutMs, signal, repeated }: ReadOnlyOptions,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const values = [APPLICATION_NAME, `${Math.ceil(timeoutMs)}ms`, `${LOCK_TIMEOUT_MS}ms`]
  return pipelinedTransaction(
    database,
    [{ text: SETTINGS, values }],
    async (tx) => ({
      result: await work((text, values) => database.query(tx, text, values, { repeated })),
      closing: [],
    }),
    {
      signal,
      // The wait for a connection can't be ended; what was to be done with it can be left.
      onBegin: () => signal.throwIfAborted(),
    },
  )
}
