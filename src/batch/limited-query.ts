import type { Database, Query } from '../databases/database.js'
import { transactionSettings, type TransactionLimits } from './transaction-settings.js'

/** Whose statements they are, and what they may take. */
export interface Limited<Tx> {
  readonly database: Database<Tx>
  readonly updateName: string
  readonly limits: TransactionLimits
  readonly signal?: AbortSignal
}

/**
 * A transaction round the batches, under the limits of one: what is asked of the catalogue and of the table may meet the
 * same locks as a batch does, and a stop mustn't wait for these.
 */
export function limitedTransaction<Tx, T>(
  { database, updateName, limits, signal }: Limited<Tx>,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  return database.transaction(
    async (tx) => {
      const query: Query = (text, values) => database.query(tx, text, values)
      for (const { text, values } of transactionSettings(database.dialect, updateName, limits))
        await query(text, values)
      return work(query)
    },
    signal === undefined ? {} : { signal },
  )
}

/** A query whose every statement is such a transaction of its own. */
export function limitedQuery<Tx>(limited: Limited<Tx>): Query {
  const { database, signal } = limited
  // SQLite has no such limits, and a question needs no transaction.
  if (database.dialect !== 'postgres')
    return (text, values) =>
      database.session((session) => session.query(text, values), signal === undefined ? {} : { signal })
  return <Row>(text: string, values?: readonly unknown[]) =>
    limitedTransaction(limited, (query) => query<Row>(text, values))
}
